// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;

/**
 * What a virtual machine boots.
 *
 * @param kernel an uncompressed ELF vmlinux with a PVH entry
 * @param initrd an initramfs with the agent as {@code /init}
 * @param kernelRelease the kernel's version, for example {@code 6.1.0-56-cloud-amd64}
 */
public record GuestImage(Path kernel, Path initrd, String kernelRelease) {}
