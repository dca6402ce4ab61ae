// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import jnr.ffi.LibraryLoader;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import jnr.ffi.annotations.In;
import jnr.ffi.annotations.Out;

/**
 * The C library. Its constants are those of Linux on x86-64 and aarch64, where they are the same. Loaded on first use,
 * which takes some 100 ms.
 */
final class Native {
    static final LibC LIBC = LibraryLoader.create(LibC.class).load("c");
    static final Runtime RUNTIME = Runtime.getRuntime(LIBC);

    static final int EINTR = 4;
    static final int ESRCH = 3;
    static final int ENOSYS = 38;
    static final int EPERM = 1;

    private Native() {}

    static Pointer allocate(int bytes) {
        return Memory.allocateDirect(RUNTIME, bytes, true);
    }

    /** The error of this thread's last call. */
    static int errno() {
        return RUNTIME.getLastError();
    }

    /** What went wrong in a call, in words: {@code pidfd_open: No such process}. */
    static String problem(String call, int errno) {
        return call + ": " + LIBC.strerror(errno);
    }

    /** Functions as the manual pages (sections 2 and 3) have them; public because jnr-ffi demands it. */
    @SuppressWarnings("MemberName") // the names are the C library's
    public interface LibC {
        int close(int fd);

        int eventfd(int initial, int flags);

        int fcntl(int fd, int command, int argument);

        int kill(int pid, int signal);

        int pipe2(@Out int[] fds, int flags);

        int poll(Pointer fds, long count, int timeoutMillis);

        int posix_spawn(@Out int[] pid, Pointer path, Pointer actions, Pointer attributes, Pointer argv, Pointer envp);

        int posix_spawn_file_actions_addchdir_np(Pointer actions, Pointer path);

        int posix_spawn_file_actions_addclosefrom_np(Pointer actions, int from);

        int posix_spawn_file_actions_adddup2(Pointer actions, int fd, int newFd);

        int posix_spawn_file_actions_addopen(Pointer actions, int fd, Pointer path, int flags, int mode);

        int posix_spawn_file_actions_destroy(Pointer actions);

        int posix_spawn_file_actions_init(Pointer actions);

        int posix_spawnattr_destroy(Pointer attributes);

        int posix_spawnattr_init(Pointer attributes);

        int posix_spawnattr_setflags(Pointer attributes, short flags);

        int posix_spawnattr_setsigdefault(Pointer attributes, Pointer signals);

        int posix_spawnattr_setsigmask(Pointer attributes, Pointer signals);

        long read(int fd, @Out byte[] buffer, long count);

        String strerror(int errno);

        long syscall(long number, long first, long second, long third, long fourth);

        int waitpid(int pid, @Out int[] status, int options);

        long write(int fd, @In byte[] buffer, long count);
    }
}
