// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;

/** Where a container's root file system comes from. The source is never written to. */
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

    static RootFs directory(Path path) {
        return new Directory(path);
    }

    static RootFs image(Path path) {
        return new Image(path);
    }
}
