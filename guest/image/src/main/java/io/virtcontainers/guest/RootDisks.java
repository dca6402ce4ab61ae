// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.GuestRoot;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.RootDisk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/** Finds the file system in the image of a guest's root, by the magic numbers that Linux goes by. */
final class RootDisks {
    private static final long SECTOR = 512;

    /** QEMU maps an image as pages of this size, and the guest takes memory in such pieces. */
    private static final long NVDIMM_ALIGNMENT = 2 << 20;

    private static final int PARTITION_TABLE = 446;
    private static final int PARTITION_START = 8;
    private static final int BOOT_SIGNATURE = 510;

    private static final int SUPER_BLOCK = 1024;
    private static final int EXT4_MAGIC = SUPER_BLOCK + 56;

    private RootDisks() {}

    static RootDisk of(GuestRoot.Image image) throws IOException {
        Path file = image.file().toAbsolutePath().normalize();
        if (!Files.isRegularFile(file)) {
            throw refused(file, "there is no such file");
        }
        if (!Files.isReadable(file)) {
            throw refused(file, "not readable by this user");
        }
        if (image.nvdimm() && Files.size(file) % NVDIMM_ALIGNMENT != 0) {
            throw refused(
                    file,
                    "has " + Files.size(file) + " bytes, no multiple of 2 MiB as nvdimm needs: lengthen it (\"truncate"
                            + " -s %2M\"), or use it as a virtio disk");
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer first = read(channel, 0, (int) SECTOR);
            Optional<String> whole = fileSystem(channel, 0);
            if (whole.isPresent()) {
                return new RootDisk(file, image.nvdimm(), whole.get(), 0);
            }
            if (first.remaining() == SECTOR && first.getShort(BOOT_SIGNATURE) == (short) 0xaa55) {
                long start = Integer.toUnsignedLong(first.getInt(PARTITION_TABLE + PARTITION_START)) * SECTOR;
                Optional<String> inside = fileSystem(channel, start);
                if (inside.isPresent()) {
                    return new RootDisk(file, image.nvdimm(), inside.get(), 1);
                }
            }
            throw refused(file, "has no ext4 and no EROFS, neither as a whole nor in its first partition");
        }
    }

    private static Optional<String> fileSystem(FileChannel channel, long start) throws IOException {
        ByteBuffer bytes = read(channel, start, 2 * SUPER_BLOCK);
        if (bytes.remaining() < EXT4_MAGIC + 2) {
            return Optional.empty();
        }
        if (bytes.getInt(SUPER_BLOCK) == 0xe0f5e1e2) {
            return Optional.of("erofs");
        }
        return bytes.getShort(EXT4_MAGIC) == (short) 0xef53 ? Optional.of("ext4") : Optional.empty();
    }

    private static ByteBuffer read(FileChannel channel, long position, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining() && channel.read(buffer, position + buffer.position()) > 0) {}
        return buffer.flip();
    }

    private static InvalidConfigException refused(Path file, String why) {
        return new InvalidConfigException("guest image", file.toString(), why);
    }
}
