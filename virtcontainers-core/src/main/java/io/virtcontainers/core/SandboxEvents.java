// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.SandboxEvent;
import java.util.concurrent.Flow;
import java.util.concurrent.SubmissionPublisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The events of one sandbox. Publishing never waits. Thread-safe. */
final class SandboxEvents {
    private static final Logger log = LoggerFactory.getLogger(SandboxEvents.class);

    /** With 256 events of buffer for each subscriber (Flow.defaultBufferSize), on threads that may be blocked. */
    private final SubmissionPublisher<SandboxEvent> publisher = new SubmissionPublisher<>();

    Flow.Publisher<SandboxEvent> publisher() {
        return publisher;
    }

    synchronized void publish(SandboxEvent event) {
        if (publisher.isClosed() || !publisher.hasSubscribers()) {
            return;
        }
        publisher.offer(event, (subscriber, dropped) -> {
            log.warn("a subscriber is too slow and loses an event: sandbox={} event={}", event.sandbox(), dropped);
            return false;
        });
    }

    synchronized void close() {
        publisher.close();
    }
}
