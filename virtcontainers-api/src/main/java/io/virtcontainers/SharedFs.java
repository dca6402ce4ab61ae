// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** How directories of the host are shared with the guest, live. */
public enum SharedFs {
    /** Not at all, the default: the machine can be saved and cloned, and needs no helper process. */
    NONE,
    /** virtio-fs, by a virtiofsd that the library starts and ends. */
    VIRTIO_FS,
    /**
     * 9p, by QEMU itself: no helper process, and no memory that is shared with one; the guest caches nothing. Needs a guest
     * kernel with 9p, which cloud kernels lack: Debian's {@code linux-image-amd64} has it.
     */
    VIRTIO_9P
}
