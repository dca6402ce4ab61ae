// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Ids;
import java.nio.file.Path;

/** Something that a container sees in its file tree besides its root file system. */
public sealed interface Mount {
    /** Where the container sees it; made if it is not there. */
    GuestPath destination();

    /**
     * A file or directory of the host, as it is when the container is created or started anew: a copy. What the container
     * writes to it stays in the guest and ends with the container. A directory is packed as a root file system is ({@link
     * RootFs.Directory}); a file is sent with its mode and its numeric owner.
     *
     * @param source an existing file or directory
     * @param readOnly whether the container may only read it
     */
    record Bind(Path source, GuestPath destination, boolean readOnly) implements Mount {}

    /**
     * A file or directory of the host, live: what either side writes the other sees. Needs a sandbox with {@link
     * SharedFs#VIRTIO_FS} or {@link SharedFs#VIRTIO_9P}; the guest's root can do with it what root of the host could, unless it is read-only.
     *
     * @param source an existing file or directory
     * @param readOnly whether the guest may only read it; what the host has mounted below the source is then not seen
     */
    record Shared(Path source, GuestPath destination, boolean readOnly) implements Mount {}

    /**
     * A file system in a file or block device of the host that the guest has as persistent memory, as Kata's pmem volumes: see
     * {@link Device.Persistent}. It is mounted with {@code dax}, so that its files take no memory of the guest, if the image
     * begins with the header of a namespace in the mode fsdax, as {@code ndctl} writes it and Kata's images have it, and the file
     * system in it allows that (ext4 with blocks of 4096 bytes, EROFS, XFS); else it is mounted without. All containers of the sandbox that name the file see the same mount; the memory stays plugged in until the
     * sandbox ends. If it can be written, it must belong to one sandbox, which nobody checks.
     *
     * @param image of a size that is a multiple of 2 MiB, with the file system in it or behind that header, without partitions
     * @param fileSystem {@code ext4} or {@code erofs}, or what else the guest's kernel has
     * @param readOnly whether the guest may only read it; the same for all that name this file
     */
    record Persistent(Path image, String fileSystem, GuestPath destination, boolean readOnly) implements Mount {}

    /**
     * A file system in the guest's memory (tmpfs) that containers of the sandbox have in common, by its name: what one
     * writes the others see, as with Kubernetes' emptyDir of the medium Memory. It begins empty with the first container
     * that has it, and ends with the last. It is open to all users of the containers, with the sticky bit.
     *
     * @param name 1 to 64 letters, digits, {@code _ . -}, beginning with a letter or digit
     * @param size how much it can hold; all that name it say the same
     */
    record Volume(String name, GuestPath destination, MemorySize size) implements Mount {
        public Volume {
            Ids.require("volume name", name);
        }
    }

    /**
     * An empty file system in the guest's memory (tmpfs), which ends with the container.
     *
     * @param size how much it can hold
     */
    record Tmpfs(GuestPath destination, MemorySize size) implements Mount {}
}
