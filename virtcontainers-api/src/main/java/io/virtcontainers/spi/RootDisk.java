// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;

/**
 * The image of a guest's root file system; the guest cannot write to it.
 *
 * @param file the image
 * @param nvdimm whether it is persistent memory of the guest, not a virtio disk
 * @param fileSystem what it has, for the kernel's {@code rootfstype}: {@code ext4} or {@code erofs}
 * @param partition which partition has it, from 1; 0 if there are none
 */
public record RootDisk(Path file, boolean nvdimm, String fileSystem, int partition) {}
