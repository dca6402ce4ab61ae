// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.virtcontainers.TerminalSize;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The terminal that is this process's standard input, in raw mode: what is typed goes to the guest, whose own terminal
 * does the rest. By stty(1), which every Linux system has.
 */
final class Console implements AutoCloseable {
    private static final int SECONDS = 5;

    private final String saved;

    private Console(String saved) {
        this.saved = saved;
    }

    /** @throws IOException if standard input is no terminal */
    static Console raw() throws IOException {
        Console console = new Console(stty("-g").strip());
        String unused = stty("raw", "-echo");
        return console;
    }

    /** Its size now; empty while nobody has said it. */
    static Optional<TerminalSize> size() {
        try {
            String[] rowsAndColumns = stty("size").strip().split(" ", -1);
            int rows = Integer.parseInt(rowsAndColumns[0]);
            int columns = Integer.parseInt(rowsAndColumns[1]);
            return rows > 0 && columns > 0 ? Optional.of(new TerminalSize(rows, columns)) : Optional.empty();
        } catch (IOException | NumberFormatException noTerminal) {
            return Optional.empty();
        }
    }

    private static String stty(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("stty"));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectInput(ProcessBuilder.Redirect.INHERIT)
                .redirectErrorStream(true)
                .start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), US_ASCII);
            if (!process.waitFor(SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException("stty " + String.join(" ", arguments) + ": " + output.strip());
            }
            return output;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while running stty", e);
        } finally {
            process.destroyForcibly();
        }
    }

    @Override
    public void close() throws IOException {
        String unused = stty(saved);
    }
}
