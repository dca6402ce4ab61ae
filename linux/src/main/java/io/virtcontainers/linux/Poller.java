// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one thread behind {@link Processes}. It sleeps in poll(2) on a pidfd for each process, on the pipe of each child's
 * output, and on an eventfd that wakes it for tasks. Only this thread adds, polls and closes descriptors. It ends with
 * {@link #close} and never otherwise, as the children depend on it: whatever a task or a listener throws is caught.
 */
final class Poller {
    private static final Logger log = LoggerFactory.getLogger(Poller.class);
    private static final int SIGKILL = 9;
    private static final Duration MAX_CLOSE = Duration.ofSeconds(3);
    private static final int CLOSING_POLL_MILLIS = 100;
    private static final Duration AFTER_FAILURE = Duration.ofMillis(10);

    private final String threadName;
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();

    // Guarded by this.
    private @Nullable Thread thread;
    private int wakeUp = LinuxProcess.NO_FD;
    private boolean closed;

    // Only on the thread.
    private final List<LinuxProcess> processes = new ArrayList<>();

    Poller(String threadName) {
        this.threadName = threadName;
    }

    /** Begins the thread unless it runs; finds out here, and not on the thread, what the host lacks. */
    synchronized void start() {
        if (closed) {
            throw new LinuxException("no process can be started or watched any more: " + threadName + " is closed");
        }
        if (thread == null) {
            Descriptors.requireUsable();
            Children.keepExitCodes();
            if (wakeUp == LinuxProcess.NO_FD) {
                wakeUp = Descriptors.eventfd();
            }
            Thread newThread = new Thread(this::run, threadName);
            newThread.setDaemon(true);
            newThread.start();
            thread = newThread;
        }
    }

    private synchronized void post(Runnable task) {
        start();
        tasks.add(task);
        Descriptors.wake(wakeUp);
    }

    private <T> CompletableFuture<T> submit(Supplier<T> work) {
        CompletableFuture<T> result = new CompletableFuture<>();
        post(() -> {
            try {
                result.complete(work.get());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        return result;
    }

    CompletableFuture<LinuxProcess> spawn(Command command, OutputListener output) {
        return submit(() -> {
            LinuxProcess process = LinuxProcess.spawn(this, command, output);
            processes.add(process);
            return process;
        });
    }

    void watch(LinuxProcess process) {
        try {
            post(() -> processes.add(process));
        } catch (LinuxException e) {
            process.closeDescriptors();
            throw e;
        }
    }

    /** Returns when the descriptors are closed. */
    void forget(LinuxProcess process) {
        CompletableFuture<Boolean> done;
        synchronized (this) {
            if (closed) {
                return;
            }
            done = submit(() -> processes.remove(process) && letGo(process));
            if (Thread.currentThread() == thread) {
                return;
            }
        }
        boolean unused = done.join();
    }

    private static boolean letGo(LinuxProcess process) {
        process.closeDescriptors();
        if (process.isChild()) {
            Children.abandon((int) process.pid());
        }
        return true;
    }

    private void run() {
        try (PollSet polled = new PollSet();
                OutputReader reader = new OutputReader()) {
            loop(polled, reader);
        }
        processes.forEach(Poller::letGo);
        synchronized (this) {
            Descriptors.close(wakeUp);
            wakeUp = LinuxProcess.NO_FD;
        }
    }

    private void loop(PollSet polled, OutputReader reader) {
        long end = Long.MAX_VALUE;
        while (true) {
            // Asked before the tasks are taken: after it no more come.
            boolean closing = isClosed();
            for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
                task.run();
            }
            if (closing) {
                if (end == Long.MAX_VALUE) {
                    end = System.nanoTime() + MAX_CLOSE.toNanos();
                    processes.stream().filter(LinuxProcess::isBound).forEach(Poller::kill);
                }
                if (processes.stream().noneMatch(LinuxProcess::isBound) || System.nanoTime() >= end) {
                    return;
                }
            }
            try {
                await(polled, reader, closing ? CLOSING_POLL_MILLIS : PollSet.FOR_EVER);
            } catch (Throwable e) {
                log.error("a step of the watch over processes failed", e);
                // If it fails again and again, not at full speed.
                LockSupport.parkNanos(AFTER_FAILURE.toNanos());
            }
        }
    }

    private void await(PollSet polled, OutputReader reader, int maxMillis) {
        long now = System.nanoTime();
        List<LinuxProcess> watched = List.copyOf(processes);
        List<LinuxProcess> writers = reader.isResting(now)
                ? List.of()
                : watched.stream()
                        .filter(process -> process.outputFd() != LinuxProcess.NO_FD)
                        .toList();
        polled.begin(1 + watched.size() + writers.size());
        polled.add(wakeUp);
        watched.forEach(process -> polled.add(process.pidfd()));
        writers.forEach(process -> polled.add(process.outputFd()));
        polled.await(Math.min(maxMillis, reader.restMillis(now)));
        Descriptors.clear(wakeUp);
        for (int i = 0; i < writers.size(); i++) {
            if (polled.isReady(1 + watched.size() + i)) {
                reader.read(writers.get(i));
            }
        }
        for (int i = 0; i < watched.size(); i++) {
            if (polled.isReady(1 + i)) {
                processes.remove(watched.get(i));
                end(watched.get(i), reader);
            }
        }
    }

    private static void end(LinuxProcess process, OutputReader reader) {
        OptionalInt code = process.isChild() ? Children.reap((int) process.pid()) : OptionalInt.empty();
        reader.drain(process);
        process.closeDescriptors();
        if (process.isChild() && code.isEmpty()) {
            Children.abandon((int) process.pid());
        } else {
            Children.reapAbandoned();
        }
        process.ended(code);
    }

    private static void kill(LinuxProcess process) {
        try {
            boolean unused = process.signal(SIGKILL);
        } catch (LinuxException e) {
            log.error("cannot end a child pid={} error={}", process.pid(), e.toString());
        }
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    void close() {
        Thread running;
        synchronized (this) {
            closed = true;
            running = thread;
            if (running == null) {
                return;
            }
            if (wakeUp != LinuxProcess.NO_FD) {
                Descriptors.wake(wakeUp);
            }
        }
        try {
            running.join(2 * MAX_CLOSE.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
