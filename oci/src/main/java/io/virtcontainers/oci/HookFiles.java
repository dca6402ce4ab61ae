// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The files that are a hook's input and output. They need their names only until the hook has them open. */
final class HookFiles implements AutoCloseable {
    private final Path directory; // private to the user, as are the files by it
    private final FileChannel written;

    /** @param state what the hook reads */
    HookFiles(String state) throws IOException {
        directory = Files.createTempDirectory("hook");
        try {
            Files.writeString(input(), state);
            written = FileChannel.open(
                    output(), StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (IOException e) {
            removeNames();
            throw e;
        }
    }

    Path input() {
        return directory.resolve("state.json");
    }

    Path output() {
        return directory.resolve("output");
    }

    /** The output. */
    FileChannel written() {
        return written;
    }

    /** Does nothing the second time. */
    void removeNames() throws IOException {
        Files.deleteIfExists(input());
        Files.deleteIfExists(output());
        Files.deleteIfExists(directory);
    }

    @Override
    public void close() throws IOException {
        removeNames();
        written.close();
    }
}
