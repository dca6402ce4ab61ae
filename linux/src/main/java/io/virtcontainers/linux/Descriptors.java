// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import static io.virtcontainers.linux.Native.LIBC;

import java.util.Optional;

/** File descriptors for the poller: pidfds, pipes and an eventfd, all closed on exec. */
final class Descriptors {
    private static final long PIDFD_SEND_SIGNAL = 424;
    private static final long PIDFD_OPEN = 434;
    private static final int CLOSE_ON_EXEC = 0x80000;
    private static final int NON_BLOCKING = 0x800;
    private static final int F_SETFL = 4;

    private Descriptors() {}

    /**
     * A pidfd, which becomes readable when the process ends (pidfd_open(2)); empty if there is no such process.
     *
     * @throws LinuxException if the kernel is older than 5.3, or there are too many open files
     */
    static Optional<Integer> pidfd(long pid) {
        long fd = LIBC.syscall(PIDFD_OPEN, pid, 0, 0, 0);
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
        if (LIBC.syscall(PIDFD_SEND_SIGNAL, pidfd, number, 0, 0) == 0) {
            return true;
        }
        int errno = Native.errno();
        if (errno == Native.ESRCH) {
            return false;
        }
        throw new LinuxException("cannot send signal " + number + ": " + Native.problem("pidfd_send_signal", errno));
    }

    static int eventfd() {
        int fd = LIBC.eventfd(0, CLOSE_ON_EXEC | NON_BLOCKING);
        if (fd < 0) {
            throw failed("eventfd");
        }
        return fd;
    }

    /** @return the reading end, which never blocks, and the writing end */
    static int[] pipe() {
        int[] ends = new int[2];
        if (LIBC.pipe2(ends, CLOSE_ON_EXEC) != 0) {
            throw failed("pipe2");
        }
        if (LIBC.fcntl(ends[0], F_SETFL, NON_BLOCKING) != 0) {
            LinuxException failure = failed("fcntl");
            close(ends[0]);
            close(ends[1]);
            throw failure;
        }
        return ends;
    }

    /** @return the bytes read, 0 at the end, negative if there is nothing now */
    static int read(int fd, byte[] buffer) {
        return (int) LIBC.read(fd, buffer, buffer.length);
    }

    static void wake(int eventfd) {
        long unused = LIBC.write(eventfd, new byte[] {1, 0, 0, 0, 0, 0, 0, 0}, Long.BYTES);
    }

    static void clear(int eventfd) {
        long unused = LIBC.read(eventfd, new byte[Long.BYTES], Long.BYTES);
    }

    static void close(int fd) {
        int unused = LIBC.close(fd);
    }

    private static LinuxException failed(String call) {
        return new LinuxException(Native.problem(call, Native.errno()));
    }
}
