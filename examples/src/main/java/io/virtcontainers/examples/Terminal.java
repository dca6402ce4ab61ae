// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.virtcontainers.TerminalSize;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The user's terminal, in raw mode so that every key goes to the guest; restored by {@link #close} and at the end of the
 * process. Uses stty(1), which every Linux system has.
 */
final class Terminal implements AutoCloseable {
    private static final File DEVICE = new File("/dev/tty");
    private static final TerminalSize FALLBACK = new TerminalSize(24, 80);

    private final @Nullable String saved;
    private @Nullable Thread restoreAtExit;

    private Terminal(@Nullable String saved) {
        this.saved = saved;
    }

    static Terminal none() {
        return new Terminal(null);
    }

    static Terminal raw() throws IOException {
        Terminal terminal = new Terminal(stty("-g").strip());
        Thread hook = new Thread(terminal::restore, "restore-terminal");
        terminal.restoreAtExit = hook;
        Runtime.getRuntime().addShutdownHook(hook);
        stty("raw", "-echo");
        return terminal;
    }

    /** The size now; empty if there is no terminal. */
    Optional<TerminalSize> size() {
        if (saved == null) {
            return Optional.empty();
        }
        try {
            String[] rowsAndColumns = stty("size").strip().split(" ", -1);
            return Optional.of(
                    new TerminalSize(Integer.parseInt(rowsAndColumns[0]), Integer.parseInt(rowsAndColumns[1])));
        } catch (IOException | RuntimeException noSize) {
            return Optional.of(FALLBACK);
        }
    }

    private void restore() {
        if (saved != null) {
            try {
                stty(saved);
            } catch (IOException e) {
                System.err.println("vrun: cannot restore the terminal, type `reset`: " + e.getMessage());
            }
        }
    }

    @Override
    public void close() {
        restore();
        if (restoreAtExit != null) {
            try {
                Runtime.getRuntime().removeShutdownHook(restoreAtExit);
            } catch (IllegalStateException exiting) {
                // The hook runs too; restoring twice does no harm.
            }
        }
    }

    private static String stty(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("stty"));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectInput(DEVICE)
                .redirectErrorStream(true)
                .start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), US_ASCII);
            if (!process.waitFor(5, TimeUnit.SECONDS) || process.exitValue() != 0) {
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
}
