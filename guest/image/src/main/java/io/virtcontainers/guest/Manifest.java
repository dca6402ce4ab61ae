// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What finished files of the cache must look like: size and digest, and the stamp under which the digest was last seen
 * to be right. The change time is no part of the stamp, as the rename to the final name changes it.
 */
final class Manifest {
    private Manifest() {}

    private record Line(String name, long size, String sha256, String stamp) {
        static Optional<Line> parse(String text) {
            String[] words = text.split(" ", 4);
            try {
                return words.length == 4
                        ? Optional.of(new Line(words[0], Long.parseLong(words[1]), words[2], words[3]))
                        : Optional.empty();
            } catch (NumberFormatException e) {
                return Optional.empty();
            }
        }

        @Override
        public String toString() {
            return name + " " + size + " " + sha256 + " " + stamp;
        }
    }

    /** Describes files of one folder. */
    static void write(Path manifest, Path folder, List<String> names, Path temporaryFolder, Deadline deadline)
            throws IOException {
        List<String> lines = new ArrayList<>();
        for (String name : names) {
            Path file = folder.resolve(name);
            lines.add(new Line(name, Files.size(file), digest(file, deadline), stamp(file)).toString());
        }
        IndexFile.write(manifest, lines, temporaryFolder);
    }

    /** Whether the files are as they were when the manifest was written; looks at sizes and times only. */
    static boolean isIntact(Path manifest, Path folder, List<String> names) throws IOException {
        List<Line> lines = read(manifest);
        if (!lines.stream().map(Line::name).toList().equals(names)) {
            return false;
        }
        for (Line line : lines) {
            try {
                Path file = folder.resolve(line.name());
                if (Files.size(file) != line.size() || !stamp(file).equals(line.stamp())) {
                    return false;
                }
            } catch (NoSuchFileException e) {
                return false;
            }
        }
        return true;
    }

    /**
     * The same, but reads the files whose times differ, for example as the cache was restored from a backup, and then
     * writes the manifest anew. The caller holds the lock.
     */
    static boolean verify(Path manifest, Path folder, List<String> names, Path temporaryFolder, Deadline deadline)
            throws IOException {
        if (isIntact(manifest, folder, names)) {
            return true;
        }
        List<Line> lines = read(manifest);
        if (!lines.stream().map(Line::name).toList().equals(names)) {
            return false;
        }
        for (Line line : lines) {
            Path file = folder.resolve(line.name());
            if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                    || Files.size(file) != line.size()
                    || !digest(file, deadline).equals(line.sha256())) {
                return false;
            }
        }
        write(manifest, folder, names, temporaryFolder, deadline);
        return true;
    }

    private static List<Line> read(Path manifest) throws IOException {
        return IndexFile.read(manifest).orElse(List.of()).stream()
                .map(Line::parse)
                .flatMap(Optional::stream)
                .toList();
    }

    private static String stamp(Path file) throws IOException {
        FileStamp stamp = FileStamp.of(file, LinkOption.NOFOLLOW_LINKS);
        return stamp.mode() + "," + stamp.inode() + "," + FileStamp.word(stamp.modified());
    }

    static String digest(Path file, Deadline deadline) throws IOException {
        Sha256 sha = new Sha256();
        byte[] buffer = new byte[1 << 17];
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                Waits.check(deadline, "the reading of " + file);
                sha.raw(buffer, 0, n);
            }
        }
        return sha.hex();
    }
}
