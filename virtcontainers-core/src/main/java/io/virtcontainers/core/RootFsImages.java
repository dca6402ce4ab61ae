// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.RootFs;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.Phases;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Duration;

/** The disk image for a container's root file system. */
final class RootFsImages {
    /** The super block and its magic: Linux, {@code fs/erofs/erofs_fs.h}. */
    private static final int EROFS_SUPER_OFFSET = 1024;

    private static final int EROFS_MAGIC = 0xE0F5E1E2;

    /** The first packing of a large directory may take minutes on a slow disk. */
    private static final Duration PACKING = Duration.ofMinutes(10);

    private RootFsImages() {}

    static Path of(RootFs rootfs, GuestImages images, Phases phases) {
        if (rootfs instanceof RootFs.Directory directory) {
            return images.rootfsImage(directory.path(), phases, Deadline.after(PACKING));
        }
        Path image = ((RootFs.Image) rootfs).path().toAbsolutePath();
        requireErofs(image);
        return image;
    }

    private static void requireErofs(Path image) {
        ByteBuffer magic = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        try (FileChannel file = FileChannel.open(image)) {
            if (file.read(magic, EROFS_SUPER_OFFSET) != Integer.BYTES || magic.getInt(0) != EROFS_MAGIC) {
                throw new InvalidConfigException(
                        "root file system image", image.toString(), "is not an EROFS image: make one with mkfs.erofs");
            }
        } catch (IOException e) {
            throw new InvalidConfigException("root file system image", image.toString(), "cannot be read: " + e);
        }
    }
}
