// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.CancelledException;
import io.virtcontainers.spi.Deadline;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/** Takes locks by a deadline. */
final class Locks {
    private Locks() {}

    /**
     * Takes a lock, which the caller must release.
     *
     * @param waitedFor what is waited for, as the subject of the error message
     * @throws io.virtcontainers.DeadlineExceededException if the deadline passes first
     * @throws CancelledException if the thread is interrupted; its flag is set again
     */
    static void acquire(ReentrantLock lock, Deadline deadline, String waitedFor) {
        try {
            if (!lock.tryLock(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw deadline.exceeded(waitedFor);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for " + waitedFor);
        }
    }
}
