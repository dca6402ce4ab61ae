// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * The mount namespace of another process, into which files and directories of ours can be brought, whether or not mounts
 * propagate between the two: open_tree(2), then move_mount(2) in a thread that has changed into that namespace with
 * setns(2) and ends. Nothing is mounted in our own namespace at any time. Needs root, and Linux 5.12.
 */
public final class MountNamespace {
    private static final long OPEN_TREE = 428;
    private static final long MOVE_MOUNT = 429;
    private static final long MOUNT_SETATTR = 442;

    private static final int AT_FDCWD = -100;
    private static final int OPEN_TREE_CLONE = 1;
    private static final int CLOSE_ON_EXEC = 0x80000;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int AT_RECURSIVE = 0x8000;
    private static final int MOVE_MOUNT_F_EMPTY_PATH = 4;
    private static final int CLONE_FS = 0x200;
    private static final int CLONE_NEWNS = 0x20000;
    private static final int MNT_DETACH = 2;
    private static final int UMOUNT_NOFOLLOW = 8;
    private static final int MS_SLAVE = 1 << 19;
    private static final int MOUNT_ATTR_RDONLY = 1;

    /** struct mount_attr: what to set, what to clear, the propagation, a user namespace. */
    private static final int ATTRIBUTES_BYTES = 32;

    private static final int PROPAGATION_OFFSET = 16;

    private final long pid;

    private MountNamespace(long pid) {
        this.pid = pid;
    }

    /** That of a process of ours, which must live while this is used. */
    public static MountNamespace of(long pid) {
        return new MountNamespace(pid);
    }

    /**
     * Mounts a file or directory of our namespace there, with all that is mounted below it. Mounts that are made below the
     * source later come in if the source's mount is shared; nothing propagates back.
     *
     * @param source in our namespace; a symbolic link is followed
     * @param target in the other namespace: an existing file for a file, a directory for a directory
     * @param readOnly the mounts below it too
     * @throws LinuxException if there is no such file or process, or this process is not root; then nothing is mounted
     */
    public void bind(Path source, Path target, boolean readOnly) {
        try (Arena arena = new Arena()) {
            int tree = check(
                    "open_tree " + source,
                    Native.call(
                            "syscall",
                            OPEN_TREE,
                            AT_FDCWD,
                            arena.string(source.toString()),
                            OPEN_TREE_CLONE | CLOSE_ON_EXEC | AT_RECURSIVE));
            try {
                long attributes = arena.allocate(ATTRIBUTES_BYTES);
                Native.MEMORY.putLong(attributes, readOnly ? MOUNT_ATTR_RDONLY : 0);
                Native.MEMORY.putLong(attributes + PROPAGATION_OFFSET, MS_SLAVE);
                long here = arena.string("");
                int unused = check(
                        "mount_setattr " + source,
                        Native.call(
                                "syscall",
                                MOUNT_SETATTR,
                                tree,
                                here,
                                AT_EMPTY_PATH | AT_RECURSIVE,
                                attributes,
                                ATTRIBUTES_BYTES));
                long to = arena.string(target.toString());
                inside(() -> check(
                        "move_mount to " + target,
                        Native.call("syscall", MOVE_MOUNT, tree, here, AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH)));
            } finally {
                Descriptors.close(tree); // what was not moved is unmounted
            }
        }
    }

    /**
     * Unmounts what is mounted at a path there, with all that is mounted below it, also under open files (MNT_DETACH).
     *
     * @param target is not followed if it is a symbolic link
     * @throws LinuxException if nothing is mounted there
     */
    public void unmount(Path target) {
        try (Arena arena = new Arena()) {
            long path = arena.string(target.toString());
            inside(() -> check("umount " + target, Native.call("umount2", path, MNT_DETACH | UMOUNT_NOFOLLOW)));
        }
    }

    /** In a thread of its own: one that has left the namespace of the process never comes back. */
    private void inside(Runnable work) {
        try {
            CompletableFuture.runAsync(
                            () -> {
                                enter();
                                work.run();
                            },
                            task -> new Thread(task, "virtcontainers-mount-namespace").start())
                    .join(); // some system calls that wait for nothing
        } catch (CompletionException e) {
            throw e.getCause() instanceof LinuxException cause
                    ? new LinuxException(String.valueOf(cause.getMessage()), e)
                    : e;
        }
    }

    private void enter() {
        try (Arena arena = new Arena()) {
            String file = "/proc/" + pid + "/ns/mnt";
            int namespace = check("open " + file, Native.call("open", arena.string(file), CLOSE_ON_EXEC));
            try {
                // The working directory and root are those of the whole process until then.
                int unused = check("unshare", Native.call("unshare", CLONE_FS));
                unused = check("setns to " + file, Native.call("setns", namespace, CLONE_NEWNS));
            } finally {
                Descriptors.close(namespace);
            }
        }
    }

    private static int check(String call, long result) {
        if ((int) result < 0) {
            int errno = Native.errno();
            String remedy = switch (errno) {
                case Native.ENOSYS -> "; Linux 5.12 or newer is needed";
                case Native.EPERM -> "; this needs root";
                default -> "";
            };
            throw new LinuxException(Native.problem(call, errno) + remedy);
        }
        return (int) result;
    }
}
