// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A small text file of lines that ends with their digest. One that is torn, edited or of another version reads as
 * absent: it holds only what can be found out again.
 */
final class IndexFile {
    private static final String HEADER = "virtcontainers 1";
    private static final int MAX_BYTES = 1 << 20;

    private IndexFile() {}

    static Optional<List<String>> read(Path file) throws IOException {
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(MAX_BYTES);
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        String text = new String(bytes, StandardCharsets.UTF_8);
        int end = text.lastIndexOf('\n', text.length() - 2) + 1;
        if (!text.startsWith(HEADER + "\n") || !text.substring(end).equals(digestLine(text.substring(0, end)))) {
            return Optional.empty();
        }
        List<String> lines = text.substring(0, end).lines().toList();
        return Optional.of(lines.subList(1, lines.size()));
    }

    /**
     * Writes the file under a temporary name and renames it.
     *
     * @param lines without line breaks
     * @param temporaryFolder on the same file system
     */
    static void write(Path file, List<String> lines, Path temporaryFolder) throws IOException {
        List<String> all = new ArrayList<>();
        all.add(HEADER);
        all.addAll(lines);
        String text = String.join("\n", all) + "\n";
        if (text.lines().count() != all.size() || text.length() > MAX_BYTES / 4) {
            throw new IOException(
                    "an index of " + text.length() + " characters, or with a line break in a path: " + file);
        }
        Path temporary = Files.createTempFile(temporaryFolder, "index", "");
        try {
            Files.writeString(temporary, text + digestLine(text));
            ImageCache.sync(temporary);
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    private static String digestLine(String text) {
        return "sha256 " + Sha256.of(text.getBytes(StandardCharsets.UTF_8)) + "\n";
    }
}
