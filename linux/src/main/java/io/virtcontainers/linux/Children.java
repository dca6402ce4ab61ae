// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import static io.virtcontainers.linux.Native.LIBC;

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
    private static final Set<Integer> ABANDONED = ConcurrentHashMap.newKeySet();

    private Children() {}

    /** @return the exit code of a child that has ended, 128 + n for a death by signal n; empty if it cannot be known */
    static OptionalInt reap(int pid) {
        int[] status = new int[1];
        if (LIBC.waitpid(pid, status, NO_HANG) != pid) {
            return OptionalInt.empty();
        }
        int signal = status[0] & 0x7f;
        return OptionalInt.of(signal == 0 ? (status[0] >> 8) & 0xff : 128 + signal);
    }

    /** Leaves a child that may still run to later calls of {@link #reapAbandoned}. */
    static void abandon(int pid) {
        ABANDONED.add(pid);
        reapAbandoned();
    }

    /** Ends a child that cannot be watched; its pid is its own as nobody has collected it. */
    static void killAndAbandon(int pid) {
        int unused = LIBC.kill(pid, SIGKILL);
        abandon(pid);
    }

    static void reapAbandoned() {
        // 0: it still runs.
        ABANDONED.removeIf(pid -> LIBC.waitpid(pid, new int[1], NO_HANG) != 0);
    }
}
