// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import com.google.common.util.concurrent.Uninterruptibles;
import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** One operation at a time in a sandbox, except that its end does not wait for what it makes pointless. */
final class SandboxLock {
    /** How long one operation waits for another of the same sandbox. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final String sandbox;
    private final ReentrantLock lock = new ReentrantLock();

    SandboxLock(String sandbox) {
        this.sandbox = sandbox;
    }

    /**
     * Runs an operation when no other runs.
     *
     * @throws DeadlineExceededException if another takes more than a minute
     * @throws CancelledException if the thread is interrupted while it waits
     */
    <T extends @Nullable Object> T during(String operation, Supplier<T> work) {
        try {
            if (!lock.tryLock(PATIENCE.toNanos(), TimeUnit.NANOSECONDS)) {
                throw new DeadlineExceededException("sandbox " + sandbox + " was busy with another operation for "
                        + PATIENCE.toSeconds() + " s: cannot " + operation);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting to " + operation + " in sandbox " + sandbox);
        }
        try {
            return work.get();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Runs the last operation of the sandbox. An interrupt does not prevent it: it is held back until the end.
     *
     * @param cutOff makes another operation that runs now fail soon; not called if there is none
     * @param longest how long that one may take all the same, on top of a minute
     * @param force what to do if it takes longer; the error follows
     */
    void duringTheEnd(Runnable cutOff, Duration longest, Runnable force, Runnable work) {
        Interrupts.heldBack(() -> {
            if (!lock.tryLock()) {
                cutOff.run();
                Deadline deadline = Deadline.after(PATIENCE.plus(longest));
                if (!Uninterruptibles.tryLockUninterruptibly(lock, deadline.remaining())) {
                    Interrupts.heldBack(force);
                    throw deadline.exceeded("the end of another operation of sandbox " + sandbox);
                }
            }
            try {
                Interrupts.heldBack(work); // there may have been one during the wait
            } finally {
                lock.unlock();
            }
        });
    }
}
