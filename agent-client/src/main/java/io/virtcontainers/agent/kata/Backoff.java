// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import java.time.Duration;

/** Pauses between attempts: each is twice the one before, up to a longest. For one thread at a time. */
final class Backoff {
    private final Duration first;
    private final Duration longest;
    private Duration next;

    Backoff(Duration first, Duration longest) {
        this.first = first;
        this.longest = longest;
        this.next = first;
    }

    Duration next() {
        Duration current = next;
        Duration doubled = current.multipliedBy(2);
        next = doubled.compareTo(longest) > 0 ? longest : doubled;
        return current;
    }

    /** Begins with the first pause again. */
    void reset() {
        next = first;
    }
}
