// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.GuestRoot;
import io.virtcontainers.HostCheck;
import io.virtcontainers.SharedFs;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Makes what a virtual machine boots and mounts. Thread-safe, also across processes that share the cache. */
public interface GuestImages {
    /**
     * The kernel and the root for a guest; made at the first call, then taken from the cache.
     *
     * @param kernel the kernel to use, or empty for one found on the host
     * @param root what the guest runs
     * @throws io.virtcontainers.HostSetupException if the host lacks a kernel, its modules or crun
     * @throws io.virtcontainers.InvalidConfigException if the given kernel or root cannot be used
     */
    GuestImage guestImage(Optional<Path> kernel, GuestRoot root, Phases phases, Deadline deadline);

    /**
     * Looks whether a guest can mount what a machine shares in this way, before anything is made.
     *
     * @throws io.virtcontainers.HostSetupException if the modules of the kernel lack it, with kernels that have it
     */
    default void requireSharedFs(Optional<Path> kernel, GuestRoot root, SharedFs type, Deadline deadline) {}

    /**
     * The EROFS image of a directory; made at the first call for this content, then taken from the cache. Has names, types,
     * modes, owners and contents, but no extended attributes (so no file capabilities); for a caller who is not root all
     * belongs to root in the image.
     *
     * @throws io.virtcontainers.InvalidConfigException if the directory is missing or not wholly readable
     * @throws io.virtcontainers.HostSetupException if the host lacks {@code mkfs.erofs}
     * @throws io.virtcontainers.VirtException if the directory keeps changing while it is packed
     */
    Path rootfsImage(Path directory, Phases phases, Deadline deadline);

    /** What these images need of the host, and how it is; makes none. See {@link io.virtcontainers.VirtContainers#check}. */
    default List<HostCheck> check(Optional<Path> kernel, GuestRoot root, Deadline deadline) {
        return List.of();
    }
}
