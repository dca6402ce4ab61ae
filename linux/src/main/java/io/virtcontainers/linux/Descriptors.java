// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.util.Optional;

/** File descriptors for the poller: pidfds, pipes and an eventfd, all closed on exec. */
final class Descriptors {
    private static final long PIDFD_SEND_SIGNAL = 424;
    private static final long PIDFD_OPEN = 434;
    private static final int CLOSE_ON_EXEC = 0x80000;
    private static final int NON_BLOCKING = 0x800;
    private static final int F_SETFL = 4;

    private Descriptors() {}

    /** @throws LinuxException if native calls, or pidfds, do not work on this host */
    static void requireUsable() {
        try {
            pidfd(ProcessHandle.current().pid()).ifPresent(Descriptors::close);
        } catch (LinkageError e) {
            throw new LinuxException(
                    "native calls do not work here; needed are glibc on x86-64 or aarch64, and a temporary directory"
                            + " (-Djava.io.tmpdir) that is not mounted noexec: " + e,
                    e);
        }
    }

    /**
     * A pidfd, which becomes readable when the process ends (pidfd_open(2)); empty if there is no such process.
     *
     * @throws LinuxException if the kernel is older than 5.3, or there are too many open files
     */
    static Optional<Integer> pidfd(long pid) {
        long fd = Native.call("syscall", PIDFD_OPEN, pid, 0);
        if (fd >= 0) {
            return Optional.of((int) fd);
        }
        int errno = Native.errno();
        if (errno == Native.ESRCH) {
            return Optional.empty();
        }
        String remedy = switch (errno) {
            case Native.ENOSYS -> "; Linux 5.3 or newer is needed";
            case Native.EPERM -> "; a seccomp filter around this process forbids it";
            default -> "";
        };
        throw new LinuxException("cannot watch process " + pid + ": " + Native.problem("pidfd_open", errno) + remedy);
    }

    /** @return whether the process was still there */
    static boolean signal(int pidfd, int number) {
        if (Native.call("syscall", PIDFD_SEND_SIGNAL, pidfd, number, 0, 0) == 0) {
            return true;
        }
        int errno = Native.errno();
        if (errno == Native.ESRCH) {
            return false;
        }
        throw new LinuxException("cannot send signal " + number + ": " + Native.problem("pidfd_send_signal", errno));
    }

    static int eventfd() {
        return check("eventfd", Native.call("eventfd", 0, CLOSE_ON_EXEC | NON_BLOCKING));
    }

    /** @return the reading end, which never blocks, and the writing end */
    static int[] pipe() {
        int[] ends = new int[2];
        try (Arena arena = new Arena()) {
            long fds = arena.allocate(2 * Integer.BYTES);
            int unused = check("pipe2", Native.call("pipe2", fds, CLOSE_ON_EXEC));
            Native.MEMORY.getIntArray(fds, ends, 0, 2);
        }
        try {
            int unused = check("fcntl", Native.call("fcntl", ends[0], F_SETFL, NON_BLOCKING));
            return ends;
        } catch (LinuxException e) {
            close(ends[0]);
            close(ends[1]);
            throw e;
        }
    }

    private static int check(String call, long result) {
        if ((int) result < 0) {
            throw new LinuxException(Native.problem(call, Native.errno()));
        }
        return (int) result;
    }

    /** Makes an eventfd readable; {@link #clear} undoes it. */
    static void wake(int eventfd) {
        try (Arena arena = new Arena()) {
            long one = arena.allocate(Long.BYTES);
            Native.MEMORY.putLong(one, 1);
            long unused = Native.call("write", eventfd, one, Long.BYTES);
        }
    }

    static void clear(int eventfd) {
        try (Arena arena = new Arena()) {
            long unused = Native.call("read", eventfd, arena.allocate(Long.BYTES), Long.BYTES);
        }
    }

    static void close(int fd) {
        long unused = Native.call("close", fd);
    }
}
