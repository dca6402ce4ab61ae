// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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
    private final OutputReader reader = new OutputReader();

    Poller(String threadName) {
        this.threadName = threadName;
    }

    /** Begins the thread unless it runs. */
    synchronized void start() {
        if (closed) {
            throw new LinuxException("no process can be started or watched any more: " + threadName + " is closed");
        }
        if (thread == null) {
            wakeUp = usable(Descriptors::eventfd);
            thread = new Thread(this::run, threadName);
            thread.setDaemon(true);
            thread.start();
        }
    }

    /** Runs the first native call; finds out here, and not on the thread, what the host lacks. */
    private static int usable(Supplier<Integer> eventfd) {
        try {
            Descriptors.pidfd(ProcessHandle.current().pid()).ifPresent(Descriptors::close);
            return eventfd.get();
        } catch (LinkageError e) {
            throw new LinuxException("native calls do not work here (glibc on x86-64 or aarch64 is needed): " + e, e);
        }
    }

    private synchronized void post(Runnable task) {
        start();
        tasks.add(task);
        Descriptors.wake(wakeUp);
    }

    <T> CompletableFuture<T> submit(Supplier<T> work) {
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

    /** On the thread. */
    LinuxProcess spawn(Command command, OutputListener output) {
        int[] pipe = Descriptors.pipe();
        int pid;
        try {
            pid = Spawn.start(command, pipe[1]);
        } catch (Throwable e) {
            Descriptors.close(pipe[0]);
            throw e;
        } finally {
            Descriptors.close(pipe[1]);
        }
        // It cannot be collected before, and so not be another: only this thread does that.
        try {
            int pidfd = Descriptors.pidfd(pid)
                    .orElseThrow(() -> new LinuxException("somebody else collected the child " + pid
                            + "; SIGCHLD must not be ignored in this process"));
            LinuxProcess process = new LinuxProcess(this, pid, Optional.of(command), pidfd, pipe[0], output);
            processes.add(process);
            return process;
        } catch (Throwable e) {
            Descriptors.close(pipe[0]);
            Children.killAndAbandon(pid);
            throw e;
        }
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
        PollSet polled = new PollSet();
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
                    break;
                }
            }
            try {
                await(polled, closing ? CLOSING_POLL_MILLIS : PollSet.FOR_EVER);
            } catch (Throwable e) {
                log.error("a step of the watch over processes failed", e);
                // If it fails again and again, not at full speed.
                LockSupport.parkNanos(AFTER_FAILURE.toNanos());
            }
        }
        processes.forEach(Poller::letGo);
        synchronized (this) {
            Descriptors.close(wakeUp);
            wakeUp = LinuxProcess.NO_FD;
        }
    }

    private void await(PollSet polled, int maxMillis) {
        long now = System.nanoTime();
        List<LinuxProcess> watched = List.copyOf(processes);
        List<LinuxProcess> writers = reader.isResting(now)
                ? List.of()
                : watched.stream()
                        .filter(process -> process.outputFd() != LinuxProcess.NO_FD)
                        .toList();
        polled.begin(wakeUp);
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
                end(watched.get(i));
            }
        }
    }

    private void end(LinuxProcess process) {
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
