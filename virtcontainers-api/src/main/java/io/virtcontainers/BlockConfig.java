// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/**
 * The disks of the guest.
 *
 * @param driver default {@link BlockDriver#VIRTIO_BLK}
 * @param cacheDirect whether the host's page cache is passed by (QEMU's {@code cache.direct})
 * @param cacheNoFlush whether the guest's flushes are ignored (QEMU's {@code cache.no-flush})
 */
public record BlockConfig(BlockDriver driver, boolean cacheDirect, boolean cacheNoFlush) {
    private static final BlockConfig DEFAULTS = new BlockConfig(BlockDriver.VIRTIO_BLK, false, false);

    public static BlockConfig defaults() {
        return DEFAULTS;
    }
}
