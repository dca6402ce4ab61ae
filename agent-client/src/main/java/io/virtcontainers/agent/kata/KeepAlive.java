// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * Asks the agent from time to time whether it is there, as long as somebody waits for something in the guest that has no
 * deadline: the end of a process, its output. Without it, an agent that hangs while its machine runs would keep them waiting
 * for ever. One timer on the connection's event loop, and none while nobody waits. Thread-safe.
 */
final class KeepAlive {
    /** Between two questions, and how long an answer may take: a guest can be slow, and hardly ever hangs. */
    static final Duration INTERVAL = Duration.ofSeconds(30);

    private final EventLoop loop;
    private final Duration interval;
    private final Supplier<CompletableFuture<Boolean>> ask;
    private final Runnable silent;
    private final AtomicInteger waiting = new AtomicInteger();
    private final AtomicBoolean scheduled = new AtomicBoolean();

    /**
     * @param ask completes with whether there is an answer, or there is no connection on which one could be missing
     * @param silent called on the event loop for each answer that did not come
     */
    KeepAlive(EventLoop loop, Duration interval, Supplier<CompletableFuture<Boolean>> ask, Runnable silent) {
        this.loop = loop;
        this.interval = interval;
        this.ask = ask;
        this.silent = silent;
    }

    /** Somebody waits for this without a deadline. */
    <T> CompletableFuture<T> during(CompletableFuture<T> answer) {
        waiting.incrementAndGet();
        var unused = answer.whenComplete((value, error) -> waiting.decrementAndGet());
        schedule();
        return answer;
    }

    private void schedule() {
        if (waiting.get() > 0 && scheduled.compareAndSet(false, true)) {
            try {
                var unused = loop.schedule(this::tick, interval.toNanos(), TimeUnit.NANOSECONDS);
            } catch (RejectedExecutionException closed) {
                scheduled.set(false); // with the loop all calls have ended
            }
        }
    }

    private void tick() {
        if (waiting.get() == 0) {
            again();
            return;
        }
        var unused = ask.get().whenComplete((alive, error) -> {
            if (error == null && !alive) {
                silent.run();
            }
            again();
        });
    }

    private void again() {
        scheduled.set(false);
        schedule();
    }
}
