// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A small file that a command is given, or its standard input. */
final class InputFile {
    private static final int MAX_BYTES = 1 << 20;

    private InputFile() {}

    /**
     * @param command its name, for errors
     * @param file a path, or {@code -} for standard input
     * @throws UsageException if it has more than 1 MiB
     */
    static byte[] read(String command, String file) throws IOException {
        byte[] bytes = file.equals("-") ? System.in.readNBytes(MAX_BYTES + 1) : Files.readAllBytes(Path.of(file));
        if (bytes.length > MAX_BYTES) {
            throw new UsageException(command + ": " + file + " has more than " + MAX_BYTES + " bytes");
        }
        return bytes;
    }
}
