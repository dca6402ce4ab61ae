// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.SandboxEvent;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Subscribes to the events of a sandbox, for tests that wait for one. */
public final class EventQueue implements Flow.Subscriber<SandboxEvent> {
    private final BlockingQueue<SandboxEvent> events = new LinkedBlockingQueue<>();

    /** The next event of this type; those before it are dropped. Fails if there is none within the time. */
    public <T extends SandboxEvent> T next(Class<T> type, Duration time) {
        long end = System.nanoTime() + time.toNanos();
        try {
            while (true) {
                SandboxEvent event = events.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                if (event == null) {
                    throw new AssertionError("no " + type.getSimpleName() + " within " + time);
                } else if (type.isInstance(event)) {
                    return type.cast(event);
                }
            }
        } catch (InterruptedException e) {
            throw new AssertionError("interrupted while waiting for " + type.getSimpleName(), e);
        }
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(SandboxEvent event) {
        events.add(event);
    }

    @Override
    public void onError(Throwable error) {}

    @Override
    public void onComplete() {}
}
