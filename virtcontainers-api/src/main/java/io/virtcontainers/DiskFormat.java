// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** How the blocks of a disk are kept in a file of the host. */
public enum DiskFormat {
    /** As they are, in a file or a block device. */
    RAW,
    /** QEMU's qcow2, which takes the room of what was written. One that refers to further files is refused. */
    QCOW2
}
