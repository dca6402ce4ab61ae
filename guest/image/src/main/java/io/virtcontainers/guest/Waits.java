// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.CancelledException;
import io.virtcontainers.spi.Deadline;

/** The check that every loop over much data makes. */
final class Waits {
    private Waits() {}

    /**
     * @param waitedFor the subject of the error message: {@code the packing of /srv/rootfs}
     * @throws CancelledException if the thread is interrupted; the flag stays set
     * @throws io.virtcontainers.DeadlineExceededException if the deadline has passed
     */
    static void check(Deadline deadline, String waitedFor) {
        if (Thread.currentThread().isInterrupted()) {
            throw cancelled(waitedFor);
        }
        if (deadline.isExpired()) {
            throw deadline.exceeded(waitedFor);
        }
    }

    static CancelledException cancelled(String waitedFor) {
        Thread.currentThread().interrupt();
        return new CancelledException("interrupted while waiting for " + waitedFor);
    }
}
