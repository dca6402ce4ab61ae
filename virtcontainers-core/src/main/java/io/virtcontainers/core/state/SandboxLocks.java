// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import com.google.common.hash.Hashing;
import com.google.common.primitives.Longs;
import io.virtcontainers.CancelledException;
import io.virtcontainers.SandboxBusyException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Locks with names, held across processes. The kernel releases those of a process that ends, however it ends.
 *
 * <p>All locks of a state directory are byte ranges of one file, {@code locks}, which is never removed: a lock file of its
 * own for each sandbox could be removed while another process waits on it. A name's byte is a hash of 62 bits, so two
 * names meet by chance once in some 10^18.
 *
 * <p>Linux drops every lock that a process holds on a file when the process closes <em>any</em> descriptor of it (fcntl(2),
 * "Record locks"), so a Java process has one open channel for each lock file, shared and counted here. And such a lock
 * knows processes, not threads: between those of this process a lock in memory decides first.
 *
 * <p>Thread-safe.
 */
public final class SandboxLocks implements AutoCloseable {
    private static final Map<Path, Shared> OPEN = new HashMap<>();

    /** Java cannot wait for a file lock with a deadline, so it is tried again after pauses that grow up to this. */
    private static final long LONGEST_PAUSE_MILLIS = 20;

    private static final int STICKY_PRIVATE = 01600;

    private final Path file;
    private final Shared shared;
    private boolean closed;

    private SandboxLocks(Path file, Shared shared) {
        this.file = file;
        this.shared = shared;
    }

    private static final class Shared {
        final FileChannel channel;
        final Object inode;
        final Map<String, InMemory> inMemory = new HashMap<>();
        int users;

        Shared(FileChannel channel, Object inode) {
            this.channel = channel;
            this.inode = inode;
        }
    }

    /** One name in this process; kept as long as anybody holds it or waits for it. */
    private static final class InMemory {
        final ReentrantLock lock = new ReentrantLock(/* fair= */ true);
        int users;
        volatile String operation = "";
        volatile boolean waitsForAnotherProcess;
    }

    /** The locks of a state directory, which must exist. */
    static SandboxLocks open(Path stateDirectory) throws IOException {
        Path file = stateDirectory.toRealPath().resolve("locks");
        synchronized (OPEN) {
            Shared shared = OPEN.get(file);
            if (shared == null) {
                FileChannel channel = FileChannel.open(
                        file,
                        EnumSet.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
                // Those who tidy up temporary directories leave alone what has the sticky bit (tmpfiles.d(5)).
                Files.setAttribute(file, "unix:mode", STICKY_PRIVATE);
                shared = new Shared(channel, Files.getAttribute(file, "unix:ino"));
                OPEN.put(file, shared);
            }
            shared.users++;
            return new SandboxLocks(file, shared);
        }
    }

    /** A lock that is held until it is closed. */
    public interface Lock extends AutoCloseable {
        @Override
        void close();
    }

    /** The lock of this name, unless someone holds it, in this or in another process. Any thread may close it. */
    Optional<Lock> tryLock(String name) {
        return tryFile(name).map(lock -> () -> release(lock));
    }

    /**
     * The lock of this name, for this thread, which may take it again while it holds it and must close it.
     *
     * @param operation what it is for, for the errors of those who wait for it
     * @throws SandboxBusyException if another holds it until the deadline
     * @throws CancelledException if the thread is interrupted while it waits
     */
    Lock acquire(String name, String what, String operation, Deadline deadline) {
        InMemory mine = enter(name);
        try {
            if (!mine.lock.tryLock(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw mine.waitsForAnotherProcess
                        ? heldElsewhere(name, what, operation)
                        : new SandboxBusyException(
                                what + " is busy: another thread of this process (" + mine.operation
                                        + ") holds its lock; cannot " + operation,
                                OptionalLong.of(ProcessHandle.current().pid()));
            }
            try {
                if (mine.lock.getHoldCount() > 1) {
                    return () -> leave(name, mine, null);
                }
                mine.operation = operation;
                mine.waitsForAnotherProcess = true;
                FileLock held = await(name, what, operation, deadline);
                mine.waitsForAnotherProcess = false;
                return () -> leave(name, mine, held);
            } catch (RuntimeException | InterruptedException e) {
                mine.lock.unlock();
                throw e;
            }
        } catch (InterruptedException e) {
            exit(name, mine);
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting to " + operation + " in " + what);
        } catch (RuntimeException e) {
            exit(name, mine);
            throw e;
        }
    }

    private FileLock await(String name, String what, String operation, Deadline deadline) throws InterruptedException {
        long pause = 1;
        while (true) {
            Optional<FileLock> lock = tryFile(name);
            if (lock.isPresent()) {
                return lock.get();
            }
            if (deadline.isExpired()) {
                throw heldElsewhere(name, what, operation);
            }
            Thread.sleep(Math.max(1, Math.min(pause, deadline.remaining().toMillis())));
            pause = Math.min(2 * pause, LONGEST_PAUSE_MILLIS);
        }
    }

    private SandboxBusyException heldElsewhere(String name, String what, String operation) {
        OptionalLong holder = holder(name);
        return new SandboxBusyException(
                what + " is busy: "
                        + (holder.isPresent() ? "process " + holder.getAsLong() : "another process")
                        + " holds its lock; cannot " + operation + "; wait for that process, or end it if it hangs",
                holder);
    }

    private Optional<FileLock> tryFile(String name) {
        try {
            if (!Files.exists(file) || !Files.getAttribute(file, "unix:ino").equals(shared.inode)) {
                throw new VirtException("the lock file " + file
                        + " was removed or replaced while it was in use: end all processes that use this state directory,"
                        + " and see what removes files there");
            }
            return Optional.ofNullable(shared.channel.tryLock(position(name), 1, false));
        } catch (OverlappingFileLockException heldByThisProcess) {
            return Optional.empty();
        } catch (IOException e) {
            throw new VirtException(
                    "cannot lock " + file + ": " + e + "; was the state directory closed or removed?", e);
        }
    }

    private InMemory enter(String name) {
        synchronized (shared.inMemory) {
            InMemory mine = shared.inMemory.computeIfAbsent(name, n -> new InMemory());
            mine.users++;
            return mine;
        }
    }

    private void exit(String name, InMemory mine) {
        synchronized (shared.inMemory) {
            if (--mine.users == 0) {
                shared.inMemory.remove(name);
            }
        }
    }

    private void leave(String name, InMemory mine, @Nullable FileLock held) {
        try {
            if (held != null) {
                release(held);
            }
        } finally {
            mine.lock.unlock();
            exit(name, mine);
        }
    }

    private void release(FileLock lock) {
        try {
            if (lock.acquiredBy().isOpen()) {
                lock.release();
            }
        } catch (IOException e) {
            throw new VirtException("cannot unlock " + file + ": " + e, e);
        }
    }

    /** Who holds a lock, as the kernel says in {@code /proc/locks}; empty if nobody, or a process that cannot be seen. */
    OptionalLong holder(String name) {
        String range = position(name) + " " + position(name);
        try (Stream<String> lines = Files.lines(Path.of("/proc/locks"))) {
            String inode = ":" + Files.getAttribute(file, "unix:ino") + " ";
            // 1: POSIX  ADVISORY  WRITE 1234 08:01:5678 17 17
            return lines.filter(line -> line.contains(inode) && line.endsWith(range) && !line.contains("->"))
                    .map(line -> line.split("\\s+", -1))
                    .filter(fields -> fields.length > 4 && fields[4].matches("\\d{1,18}"))
                    .mapToLong(fields -> Long.parseLong(fields[4]))
                    .filter(pid -> pid > 0)
                    .findFirst();
        } catch (IOException | java.io.UncheckedIOException unknown) {
            return OptionalLong.empty();
        }
    }

    private static long position(String name) {
        return Longs.fromByteArray(Hashing.sha256()
                        .hashString(name, StandardCharsets.UTF_8)
                        .asBytes())
                >>> 2;
    }

    @Override
    public void close() {
        synchronized (OPEN) {
            if (closed) {
                return;
            }
            closed = true;
            if (--shared.users == 0) {
                OPEN.remove(file);
                try {
                    shared.channel.close();
                } catch (IOException e) {
                    throw new VirtException("cannot close " + file + ": " + e, e);
                }
            }
        }
    }
}
