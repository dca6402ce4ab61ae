// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxEvent;
import io.virtcontainers.SandboxPool;
import io.virtcontainers.VirtException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pool: two threads start sandboxes as long as fewer are ready, or under way, than are wanted and waited for, and fewer
 * are alive than there may be. A start that fails is told to who waits longest; if nobody waits, the next lease tries again,
 * so a host that cannot start any is left alone.
 */
final class WarmPool implements SandboxPool {
    private static final Logger log = LoggerFactory.getLogger(WarmPool.class);
    private static final int STARTERS = 2;
    private static final Duration CLOSE = Duration.ofMinutes(2);

    private final SandboxConfig config;
    private final int wanted;
    private final int most;
    private final Function<SandboxConfig, Sandbox> run;
    private final Predicate<Sandbox> isUp;
    private final ThreadPoolExecutor starters =
            new ThreadPoolExecutor(STARTERS, STARTERS, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                Thread thread = new Thread(task, "virtcontainers-pool");
                thread.setDaemon(true);
                return thread;
            });

    // All below is guarded by this.
    private final Deque<Sandbox> idle = new ArrayDeque<>();
    private final Deque<CompletableFuture<Sandbox>> waiting = new ArrayDeque<>();
    private int starting;
    private int leased;
    private long number;
    private boolean closed;

    /**
     * @param wanted how many shall be ready
     * @param most how many may be alive, leased ones included
     * @param run starts a sandbox
     * @param isUp whether the machine of one runs, by what the host shows: who leases does not wait for its guest
     */
    WarmPool(
            SandboxConfig config, int wanted, int most, Function<SandboxConfig, Sandbox> run, Predicate<Sandbox> isUp) {
        this.config = config;
        this.wanted = wanted;
        this.most = most;
        this.run = run;
        this.isUp = isUp;
        starters.allowCoreThreadTimeOut(true);
        fill();
    }

    @Override
    public Sandbox lease(Duration patience) {
        CompletableFuture<Sandbox> place = new CompletableFuture<>();
        synchronized (this) {
            requireOpen();
            waiting.add(place);
            serve();
        }
        fill();
        try {
            return place.get(patience.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof VirtException cause ? cause : new VirtException("the pool failed", e);
        } catch (TimeoutException | InterruptedException e) {
            return givenUp(place, patience, e);
        }
    }

    private Sandbox givenUp(CompletableFuture<Sandbox> place, Duration patience, Exception reason) {
        String doing;
        synchronized (this) {
            if (!waiting.removeIf(other -> other == place) && !place.isCompletedExceptionally()) {
                if (reason instanceof InterruptedException) {
                    Thread.currentThread().interrupt();
                }
                return place.join(); // it came at this very moment
            }
            doing = leased + " are leased, " + starting + " start, " + most + " may be alive";
        }
        if (reason instanceof InterruptedException) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for a sandbox of the pool " + config.id());
        }
        throw new DeadlineExceededException("no sandbox of the pool " + config.id() + " became ready within "
                + patience.toMillis() + " ms: " + doing);
    }

    @Override
    public synchronized int ready() {
        return idle.size();
    }

    private void requireOpen() {
        if (closed) {
            throw new VirtException("the pool " + config.id() + " is closed");
        }
    }

    /** Gives those that are ready to those that wait; needs the monitor. */
    private void serve() {
        while (!waiting.isEmpty() && !idle.isEmpty()) {
            Sandbox sandbox = idle.remove();
            if (!isUp.test(sandbox)) {
                starters.execute(() -> delete(sandbox)); // it died while nobody had it
                continue;
            }
            leased++;
            sandbox.events().subscribe(new Return());
            boolean unused = waiting.remove().complete(sandbox);
        }
    }

    private synchronized void fill() {
        while (!closed && starting < wanted + waiting.size() - idle.size() && starting + idle.size() + leased < most) {
            starting++;
            String id = config.id() + "-" + ProcessHandle.current().pid() + "-" + number++;
            starters.execute(() -> start(id));
        }
    }

    private void start(String id) {
        try {
            synchronized (this) {
                requireOpen();
            }
            started(run.apply(config.withId(id)));
        } catch (RuntimeException e) {
            failed(e);
            return;
        }
        fill();
    }

    private void started(Sandbox sandbox) {
        synchronized (this) {
            starting--;
            if (!closed) {
                idle.add(sandbox);
                serve();
                return;
            }
        }
        delete(sandbox);
    }

    private synchronized void failed(RuntimeException reason) {
        starting--;
        if (!closed) {
            log.warn("a sandbox of the pool did not start: pool={} error={}", config.id(), reason.getMessage());
        }
        CompletableFuture<Sandbox> first = waiting.poll();
        if (first != null) {
            boolean unused = first.completeExceptionally(reason);
        }
    }

    private void delete(Sandbox sandbox) {
        try {
            sandbox.delete();
        } catch (VirtException e) {
            log.warn("a sandbox of the pool is not deleted: sandbox={} error={}", sandbox.id(), e.getMessage());
        }
    }

    private void returned() {
        synchronized (this) {
            leased--;
        }
        fill();
    }

    /** Learns when a leased sandbox is no more. */
    private final class Return implements Flow.Subscriber<SandboxEvent> {
        private final AtomicBoolean told = new AtomicBoolean();

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(SandboxEvent event) {
            if (event instanceof SandboxEvent.Deleted) {
                tell();
            }
        }

        @Override
        public void onError(Throwable error) {
            tell();
        }

        @Override
        public void onComplete() {
            tell();
        }

        private void tell() {
            if (!told.getAndSet(true)) {
                returned();
            }
        }
    }

    @Override
    public void close() {
        List<Sandbox> drained;
        synchronized (this) {
            closed = true;
            drained = new ArrayList<>(idle);
            idle.clear();
            for (@Nullable CompletableFuture<Sandbox> place = waiting.poll(); place != null; place = waiting.poll()) {
                boolean unused = place.completeExceptionally(
                        new VirtException("the pool " + config.id() + " was closed meanwhile"));
            }
        }
        Interrupts.heldBack(() -> {
            drained.forEach(this::delete);
            starters.shutdown();
            awaitStarters();
        });
    }

    private void awaitStarters() {
        try {
            if (!starters.awaitTermination(CLOSE.toSeconds(), TimeUnit.SECONDS)) {
                log.warn("the pool is closed while sandboxes still start: pool={}", config.id());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
