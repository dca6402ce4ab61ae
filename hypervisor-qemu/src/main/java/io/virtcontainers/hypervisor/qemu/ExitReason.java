// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import java.util.Map;
import java.util.OptionalInt;

/** Says in one line why a machine has ended. */
final class ExitReason {
    private static final String PANIC = "Kernel panic - not syncing";
    private static final int MAX_QUOTED = 300;
    private static final Map<Integer, String> SIGNALS =
            Map.of(6, " (SIGABRT)", 9, " (SIGKILL)", 11, " (SIGSEGV)", 15, " (SIGTERM)", 31, " (SIGSYS)");

    private ExitReason() {}

    /**
     * @param ended as {@link ManagedProcess#exit} gives it
     * @param stopRequested whether we ended it
     */
    static String of(OptionalInt ended, boolean stopRequested, QemuEvents events, String console, String output) {
        if (stopRequested) {
            return "stopped";
        }
        String panic = lastLineWith(PANIC, console);
        if (events.panicked() || (!panic.isEmpty() && events.shutdownReason().equals("guest-reset"))) {
            return "guest panicked: " + (panic.isEmpty() ? "see its console" : quoted(panic));
        }
        if (ended.isEmpty() && events.shutdownReason().isEmpty()) {
            return "QEMU ended; only the process that launched it could know why";
        }
        int exitCode = ended.orElse(0);
        if (exitCode > 128) {
            int signal = exitCode - 128;
            return "QEMU was killed by signal " + signal + SIGNALS.getOrDefault(signal, "");
        }
        if (exitCode != 0) {
            return "QEMU exited with code " + exitCode + ": " + lastWords(output);
        }
        return switch (events.shutdownReason()) {
            case "guest-shutdown" -> "guest powered off";
            case "guest-reset" -> "guest reset the machine: its kernel could not boot or asked for a restart";
            case "host-signal" -> "QEMU was ended by a signal (SIGTERM, SIGINT or SIGHUP)";
            case "host-qmp-quit" -> "QEMU was told to quit over QMP";
            case "" -> "QEMU exited with code 0";
            default -> "QEMU shut down: " + events.shutdownReason();
        };
    }

    /** The end of what a program wrote, in one line. */
    static String lastWords(String output) {
        String text = output.strip().replaceAll("\\s*\\n\\s*", "; ");
        if (text.isEmpty()) {
            return "it wrote nothing to its standard error";
        }
        return text.length() <= MAX_QUOTED ? text : "..." + text.substring(text.length() - MAX_QUOTED);
    }

    private static String lastLineWith(String words, String text) {
        return text.lines().filter(line -> line.contains(words)).reduce("", (before, line) -> line);
    }

    private static String quoted(String line) {
        String text = line.strip();
        return text.length() <= MAX_QUOTED ? text : text.substring(0, MAX_QUOTED) + "...";
    }
}
