// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** How a disk of the host becomes one of the guest. */
public enum BlockDriver {
    /** A PCI device of its own. */
    VIRTIO_BLK,
    /** A logical unit of one virtio-scsi controller: hundreds of disks, no PCI slot each. */
    VIRTIO_SCSI
}
