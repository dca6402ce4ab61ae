// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.VirtException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A moment by which something must have ended. Immutable; one deadline can bound many steps. */
public final class Deadline {
    private static final Duration LONGEST = Duration.ofDays(365 * 100L);

    private final long endNanos;
    private final Duration total;

    private Deadline(Duration total) {
        this.total = total;
        Duration bounded = total.compareTo(LONGEST) > 0 ? LONGEST : total;
        this.endNanos = System.nanoTime() + bounded.toNanos();
    }

    public static Deadline after(Duration duration) {
        return new Deadline(duration);
    }

    /** The earlier of this deadline and one after {@code duration} from now. */
    public Deadline atMost(Duration duration) {
        return duration.compareTo(remaining()) < 0 ? after(duration) : this;
    }

    /** The time left, zero if none. */
    public Duration remaining() {
        return Duration.ofNanos(Math.max(0, endNanos - System.nanoTime()));
    }

    public boolean isExpired() {
        return endNanos - System.nanoTime() <= 0;
    }

    /** The error to throw when this deadline has passed. */
    public DeadlineExceededException exceeded(String waitedFor) {
        return new DeadlineExceededException(waitedFor + " did not happen within " + total.toMillis() + " ms");
    }

    /**
     * Waits for a future. The future is not cancelled when the wait ends early.
     *
     * @param waitedFor what is waited for, as the subject of the error message: {@code the agent's first answer}
     * @throws DeadlineExceededException if this deadline passes first
     * @throws CancelledException if the thread is interrupted; its flag is set again
     * @throws VirtException the future's own error, or one that wraps it
     */
    public <T> T await(CompletableFuture<T> future, String waitedFor) {
        try {
            return future.get(remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw exceeded(waitedFor);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for " + waitedFor);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof VirtException cause) {
                throw cause;
            }
            throw new VirtException(waitedFor + " failed: " + e.getCause(), e.getCause());
        }
    }
}
