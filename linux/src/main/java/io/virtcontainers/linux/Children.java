// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Collects dead children, each by its own pid: all others of the application belong to the JDK. Those that nobody watches
 * any more are collected with the next that ends or is let go of, so that no heap of zombies grows. Thread-safe.
 */
final class Children {
    private static final int NO_HANG = 1;
    private static final int SIGKILL = 9;
    private static final int SIGCHLD = 17;
    private static final long SIG_DFL = 0;
    private static final long SIG_IGN = 1;
    /** More than glibc's struct sigaction (152 bytes). */
    private static final int SIGACTION_BYTES = 256;

    private static final Set<Integer> ABANDONED = ConcurrentHashMap.newKeySet();

    private Children() {}

    /** @return the exit code of a child that has ended, 128 + n for a death by signal n; empty if it cannot be known */
    static OptionalInt reap(int pid) {
        try (Arena arena = new Arena()) {
            long result = arena.allocate(Integer.BYTES);
            if ((int) Native.call("waitpid", pid, result, NO_HANG) != pid) {
                return OptionalInt.empty();
            }
            int status = Native.MEMORY.getInt(result);
            int signal = status & 0x7f;
            return OptionalInt.of(signal == 0 ? (status >> 8) & 0xff : 128 + signal);
        }
    }

    /** Leaves a child that may still run to later calls of {@link #reapAbandoned}. */
    static void abandon(int pid) {
        ABANDONED.add(pid);
        reapAbandoned();
    }

    /**
     * The pidfd of a child that was just started.
     *
     * @throws LinuxException if there can be none; then the child is killed
     */
    static int pidfd(int pid) {
        try {
            return Descriptors.pidfd(pid)
                    .orElseThrow(
                            () -> new IllegalStateException("another part of this process collected child " + pid));
        } catch (LinuxException e) {
            // It is still ours: only we collect it.
            long unused = Native.call("kill", pid, SIGKILL);
            abandon(pid);
            throw e;
        }
    }

    /** Where this process was started with SIGCHLD ignored, the kernel would forget exit codes. The JDK does the same. */
    static void keepExitCodes() {
        try (Arena arena = new Arena()) {
            long old = arena.allocate(SIGACTION_BYTES);
            int failure = (int) Native.call("sigaction", SIGCHLD, 0, old);
            // The handler is the first field.
            if (failure == 0 && Native.MEMORY.getLong(old) == SIG_IGN) {
                long unused = Native.call("signal", SIGCHLD, SIG_DFL);
            }
        }
    }

    static void reapAbandoned() {
        // 0: it still runs.
        ABANDONED.removeIf(pid -> (int) Native.call("waitpid", pid, 0, NO_HANG) != 0);
    }
}
