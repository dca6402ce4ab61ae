// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.regex.Pattern;

/** Where a container's root file system comes from. */
public sealed interface RootFs {

    /**
     * A directory of the host. It is packed once into a read-only EROFS image, which is cached by content; the container
     * writes to an overlay in the guest's memory that ends with the container. Extended attributes are not packed, so file
     * capabilities are lost; if the caller is not root, all files belong to root in the container.
     *
     * @param path an existing directory, readable by the caller with all that is in it
     */
    record Directory(Path path) implements RootFs {}

    /**
     * An EROFS image of the host, attached read-only; the container writes to an overlay in the guest's memory that ends
     * with the container.
     *
     * @param path a readable file, as written by {@code mkfs.erofs}
     */
    record Image(Path path) implements RootFs {}

    /**
     * A directory of the host, live: what the container writes is in the directory at once. Needs a sandbox with {@link
     * SharedFs#VIRTIO_FS} or {@link SharedFs#VIRTIO_9P}. Nothing is packed or copied, which suits a directory that an engine has mounted for one container.
     *
     * @param path an existing directory
     */
    record Shared(Path path) implements RootFs {}

    /**
     * A disk of the container's own: what the container writes is on it and stays there, unless {@link
     * ContainerConfig#readOnlyRootfs}. A disk that is written can belong to one container only; QEMU's lock on the file sees
     * to that.
     *
     * @param path a disk image, or a block device of the host
     * @param format of the image
     * @param fileSystem its file system, one that the guest's kernel has: {@code ext4}; it fills the disk, without partitions
     */
    record Disk(Path path, DiskFormat format, String fileSystem) implements RootFs {
        private static final Pattern FILE_SYSTEM = Pattern.compile("[a-z0-9_]{1,32}");

        public Disk {
            if (!FILE_SYSTEM.matcher(fileSystem).matches()) {
                throw new InvalidConfigException(
                        "file system of a disk", '"' + fileSystem + '"', "must be a name such as ext4");
            }
        }
    }

    static RootFs directory(Path path) {
        return new Directory(path);
    }

    static RootFs image(Path path) {
        return new Image(path);
    }

    static RootFs shared(Path path) {
        return new Shared(path);
    }

    /** A raw disk image or a block device. */
    static RootFs disk(Path path, String fileSystem) {
        return new Disk(path, DiskFormat.RAW, fileSystem);
    }
}
