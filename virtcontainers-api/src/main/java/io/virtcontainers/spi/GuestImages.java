// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;
import java.util.Optional;

/** Makes what a virtual machine boots and mounts. Thread-safe, also across processes that share the cache. */
public interface GuestImages {
    /**
     * The kernel and the initrd for a guest; made at the first call, then taken from the cache.
     *
     * @param kernel the kernel to use, or empty for one found on the host
     * @throws io.virtcontainers.HostSetupException if the host lacks a kernel, its modules or crun
     * @throws io.virtcontainers.InvalidConfigException if the given kernel cannot be used
     */
    GuestImage guestImage(Optional<Path> kernel, Phases phases, Deadline deadline);

    /**
     * The EROFS image of a directory; made at the first call for this content, then taken from the cache.
     *
     * @throws io.virtcontainers.InvalidConfigException if the directory is missing or not wholly readable
     * @throws io.virtcontainers.HostSetupException if the host lacks {@code mkfs.erofs}
     */
    Path rootfsImage(Path directory, Phases phases, Deadline deadline);
}
