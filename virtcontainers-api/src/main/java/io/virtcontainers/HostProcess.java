// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A process of this host, known beyond doubt: pids are used again, but not together with the same start time in the same
 * boot (proc(5), {@code /proc/pid/stat} field 22, {@code /proc/sys/kernel/random/boot_id}). Unlike signal 0, this tells a
 * dead process that nobody has waited for (a zombie) from a live one, and does not depend on the right to signal it.
 *
 * @param pid its number in this process's PID namespace
 * @param startTime when it started, in clock ticks since the boot
 * @param bootId the boot in which it started
 */
public record HostProcess(long pid, long startTime, String bootId) {
    private static final Path PROC = Path.of("/proc");
    private static final int STATE = 0; // the fields after the name in parentheses, which are field 1 and 2 of proc(5)
    private static final int START_TIME = 19;

    public HostProcess {
        if (pid < 1) {
            throw new InvalidConfigException("pid", Long.toString(pid), "must be 1 or more");
        }
    }

    /**
     * The live process that has this pid now.
     *
     * @throws NotFoundException if there is none
     */
    public static HostProcess of(long pid) {
        return find(pid).orElseThrow(() -> new NotFoundException("no process of this host has the pid " + pid));
    }

    /** The live process that has this pid now, or empty. */
    public static Optional<HostProcess> find(long pid) {
        String @Nullable [] fields = stat(pid);
        if (fields == null || isDead(fields)) {
            return Optional.empty();
        }
        return Optional.of(new HostProcess(pid, Long.parseLong(fields[START_TIME]), currentBoot()));
    }

    /** This Java process. */
    public static HostProcess current() {
        return of(ProcessHandle.current().pid());
    }

    /** Whether this very process still runs; false for a zombie, and for another process that has its pid now. */
    public boolean isAlive() {
        String @Nullable [] fields = stat(pid);
        return fields != null
                && !isDead(fields)
                && Long.parseLong(fields[START_TIME]) == startTime
                && bootId.equals(currentBoot());
    }

    private static boolean isDead(String[] fields) {
        return fields[STATE].equals("Z") || fields[STATE].equals("X");
    }

    /** The fields from the state on, or null if there is no such process. */
    private static String @Nullable [] stat(long pid) {
        try {
            String line =
                    Files.readString(PROC.resolve(Long.toString(pid)).resolve("stat"), StandardCharsets.ISO_8859_1);
            // The name may contain blanks and parentheses.
            return line.substring(line.lastIndexOf(')') + 2).split(" ", -1);
        } catch (IOException e) {
            // A process that ends while it is read gives ESRCH.
            if (Files.exists(PROC.resolve("self")) && !Files.exists(PROC.resolve(Long.toString(pid)))) {
                return null;
            }
            throw new HostSetupException("cannot read /proc/" + pid + "/stat: " + e + "; is /proc mounted?", e);
        }
    }

    private static String currentBoot() {
        return Boot.ID;
    }

    /** Read once: it cannot change while this process lives. */
    private static final class Boot {
        static final String ID = read();

        private static String read() {
            try {
                return Files.readString(PROC.resolve("sys/kernel/random/boot_id"))
                        .strip();
            } catch (IOException e) {
                throw new HostSetupException("cannot read the boot id below /proc: " + e + "; is /proc mounted?", e);
            }
        }
    }

    @Override
    public String toString() {
        return "pid " + pid;
    }
}
