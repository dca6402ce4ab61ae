// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.time.Duration;

/**
 * Sandboxes that are started ahead, so that one can be had in milliseconds; see {@link VirtContainers#pool}. Each is leased
 * once: whoever has it deletes it, and the pool starts another. Thread-safe; who waits longest is served first.
 */
public interface SandboxPool extends AutoCloseable {
    /**
     * A running sandbox that nobody else has had; its id is the pool's with the pid of this process and a number. The caller
     * closes it.
     *
     * @param patience how long to wait for one if none is ready
     * @throws DeadlineExceededException if none became ready in time, with what the pool's sandboxes are doing
     * @throws CancelledException if the thread is interrupted
     * @throws VirtException if one did not start while this waited for it, for the reason that it had; if the pool is closed
     */
    Sandbox lease(Duration patience);

    /** How many can be leased now without waiting. */
    int ready();

    /**
     * Deletes those that are not leased, and returns when they are gone; whoever waits for one gets an error. Those that are
     * leased stay.
     */
    @Override
    void close();
}
