// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Disk images with the content of the initrd that this library makes, its {@code /init} as {@code /sbin/init}. */
final class GuestDisks {
    private static final int HEADER = 110;
    private static final int MODE = 14;
    private static final int SIZE = 54;
    private static final int NAME_SIZE = 94;
    private static final int TYPE = 0_170_000;
    private static final int DIRECTORY = 0_040_000;
    private static final int REGULAR = 0_100_000;
    private static final int MIB = 1 << 20;

    private GuestDisks() {}

    /** Unpacks an archive in the format newc. */
    static Path tree(Path initrd, Path directory) throws IOException {
        byte[] archive = Files.readAllBytes(initrd);
        int start = 0;
        while (true) {
            int mode = field(archive, start + MODE);
            int size = field(archive, start + SIZE);
            int nameSize = field(archive, start + NAME_SIZE);
            String name = new String(archive, start + HEADER, nameSize - 1, US_ASCII);
            int content = aligned(start + HEADER + nameSize);
            if (name.equals("TRAILER!!!")) {
                break;
            }
            Path file = directory.resolve(name);
            if ((mode & TYPE) == DIRECTORY) {
                Files.createDirectories(file);
            } else if ((mode & TYPE) == REGULAR) {
                Files.createDirectories(file.getParent());
                Files.write(file, Arrays.copyOfRange(archive, content, content + size));
                Files.setPosixFilePermissions(
                        file, PosixFilePermissions.fromString((mode & 0111) != 0 ? "rwxr-xr-x" : "rw-r--r--"));
            }
            start = aligned(content + size);
        }
        for (String name : List.of("dev", "proc", "sys", "run", "tmp", "sbin")) {
            Files.createDirectories(directory.resolve(name));
        }
        Files.move(directory.resolve("init"), directory.resolve("sbin/init"));
        return directory;
    }

    private static int field(byte[] archive, int at) {
        return Integer.parseUnsignedInt(new String(archive, at, 8, US_ASCII), 16);
    }

    private static int aligned(int position) {
        return (position + 3) & ~3;
    }

    /** An ext4 in the first partition, as Kata's images have it. */
    static Path partitioned(Path tree, Path image) throws IOException {
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            ByteBuffer table = ByteBuffer.allocate(512).order(ByteOrder.LITTLE_ENDIAN);
            table.put(446 + 4, (byte) 0x83).putInt(446 + 8, MIB / 512).putInt(446 + 12, 63 * MIB / 512);
            table.putShort(510, (short) 0xaa55);
            file.write(table, 0);
            file.write(ByteBuffer.allocate(1), 64L * MIB - 1);
        }
        run("/sbin/mkfs.ext4", "-q", "-F", "-d", tree.toString(), "-E", "offset=" + MIB, image.toString(), "63m");
        return image;
    }

    /** An EROFS without partitions, of a size that persistent memory can have. */
    static Path erofs(Path tree, Path image) throws IOException {
        run("mkfs.erofs", "--quiet", "--all-root", image.toString(), tree.toString());
        long size = Files.size(image);
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.allocate(1), (size / (2 * MIB) + 1) * 2 * MIB - 1);
        }
        return image;
    }

    /** Runs a program of the host; gives back what it wrote. */
    static String run(String... command) throws IOException {
        List<String> line = new ArrayList<>();
        Collections.addAll(line, command);
        Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), US_ASCII);
        try {
            if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new AssertionError(line + ": " + output);
            }
            return output;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
