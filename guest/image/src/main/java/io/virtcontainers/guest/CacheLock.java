// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A lock that holds between threads and between processes: an in-JVM lock, then a lock on a file that is never removed.
 * The kernel frees the file's lock when its process dies. Close it in the thread that acquired it.
 */
final class CacheLock implements AutoCloseable {
    /** File locks belong to the whole JVM, so threads need locks of their own; few names exist, none is ever removed. */
    private static final Map<Path, ReentrantLock> THREAD_LOCKS = new ConcurrentHashMap<>();

    /** How often another process's lock is tried: the kernel has no lock with a timeout. */
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private final ReentrantLock threadLock;
    private final FileChannel channel;

    private CacheLock(ReentrantLock threadLock, FileChannel channel) {
        this.threadLock = threadLock;
        this.channel = channel;
    }

    /**
     * @throws io.virtcontainers.DeadlineExceededException if another thread or process holds it for too long
     * @throws io.virtcontainers.CancelledException if the thread is interrupted
     */
    static CacheLock acquire(Path file, Deadline deadline) throws IOException {
        String waitedFor = "the lock " + file + ", held by another thread or process that makes an image,";
        ReentrantLock threadLock = threadLock(file);
        try {
            if (!threadLock.tryLock(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw deadline.exceeded(waitedFor);
            }
        } catch (InterruptedException e) {
            throw Waits.cancelled(waitedFor);
        }
        FileChannel channel = null;
        try {
            channel = open(file);
            while (!tryLock(channel)) {
                Waits.check(deadline, waitedFor);
                LockSupport.parkNanos(RETRY_NANOS);
            }
            CacheLock lock = new CacheLock(threadLock, channel);
            channel = null;
            return lock;
        } catch (IOException | RuntimeException e) {
            threadLock.unlock();
            throw e;
        } finally {
            if (channel != null) {
                channel.close();
            }
        }
    }

    /** The lock if it is free at this moment. A lock that this thread holds already counts as free. */
    static Optional<CacheLock> tryAcquire(Path file) throws IOException {
        ReentrantLock threadLock = threadLock(file);
        if (threadLock.isHeldByCurrentThread() || !threadLock.tryLock()) {
            return Optional.empty();
        }
        FileChannel channel = null;
        boolean locked = false;
        try {
            channel = open(file);
            locked = tryLock(channel);
            return locked ? Optional.of(new CacheLock(threadLock, channel)) : Optional.empty();
        } finally {
            if (!locked) {
                threadLock.unlock();
                if (channel != null) {
                    channel.close();
                }
            }
        }
    }

    private static ReentrantLock threadLock(Path file) {
        return THREAD_LOCKS.computeIfAbsent(file, f -> new ReentrantLock());
    }

    private static FileChannel open(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }

    private static boolean tryLock(FileChannel channel) throws IOException {
        try {
            FileLock lock = channel.tryLock();
            return lock != null;
        } catch (OverlappingFileLockException e) {
            return false; // this class, loaded a second time in this JVM, holds it
        }
    }

    /** Closing the channel frees the file's lock. */
    @Override
    public void close() throws IOException {
        try {
            channel.close();
        } finally {
            threadLock.unlock();
        }
    }
}
