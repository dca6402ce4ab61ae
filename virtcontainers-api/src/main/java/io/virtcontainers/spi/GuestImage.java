// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;
import java.util.Optional;

/**
 * What a virtual machine boots.
 *
 * @param kernel an uncompressed ELF vmlinux with a PVH entry
 * @param initrd an initramfs, empty if the kernel mounts the disk itself; without a disk it has the agent as {@code /init},
 *     else it mounts the disk, as the kernel's command line says, and starts its {@code /sbin/init}
 * @param disk the disk with the agent, if that is not in the initrd
 * @param kernelRelease the kernel's version, for example {@code 6.1.0-56-cloud-amd64}
 */
public record GuestImage(Path kernel, Optional<Path> initrd, Optional<RootDisk> disk, String kernelRelease) {
    public GuestImage {
        if (initrd.isEmpty() && disk.isEmpty()) {
            throw new IllegalArgumentException("neither an initrd nor a disk");
        }
    }

    /** An agent in an initrd. */
    public GuestImage(Path kernel, Path initrd, String kernelRelease) {
        this(kernel, Optional.of(initrd), Optional.empty(), kernelRelease);
    }
}
