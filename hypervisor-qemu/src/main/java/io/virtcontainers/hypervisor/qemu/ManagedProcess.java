// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A child process whose output is kept in a bounded tail. There is no reading thread: the pipe is emptied on demand, at
 * the end, and once per second, so that a process that writes much is slowed down and not stuck. Thread-safe.
 */
final class ManagedProcess {
    private static final int OUTPUT_TAIL_BYTES = 8 << 10;
    private static final int MAX_BYTES_AT_ONCE = 256 << 10;
    private static final Duration EXIT_CHECK = Duration.ofMillis(10);

    private final Process process;
    private final EventLoop loop;
    private final TailBuffer output = new TailBuffer(OUTPUT_TAIL_BYTES);
    private final CompletableFuture<Integer> exit = new CompletableFuture<>();
    private final ScheduledFuture<?> emptying;

    ManagedProcess(Process process, EventLoop loop) {
        this.process = process;
        this.loop = loop;
        this.emptying = loop.scheduleWithFixedDelay(this::emptyPipe, 1, 1, TimeUnit.SECONDS);
        var unused = process.onExit().whenComplete((ended, error) -> checkExit());
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Gets the exit code, 128 + n for a death by signal n, when the process is dead and reaped. */
    CompletableFuture<Integer> exit() {
        return exit;
    }

    /** The last lines of its standard output and error. */
    String output() {
        emptyPipe();
        return output.text();
    }

    void terminate() {
        process.destroy();
    }

    void kill() {
        process.destroyForcibly();
    }

    /** @return whether the process is dead */
    boolean waitFor(Duration time) throws InterruptedException {
        boolean dead = process.waitFor(time.toNanos(), TimeUnit.NANOSECONDS);
        checkExit();
        return dead;
    }

    /** Kills it and waits, deaf to interrupts as the wait is short. @return whether the process is dead */
    boolean killAndWait(Duration time) {
        kill();
        long end = System.nanoTime() + time.toNanos();
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return waitFor(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /**
     * Looks out for the end that is near, on the event loop. {@link Process#onExit} alone is not enough: it runs in the
     * common pool, which an application may have filled with work of its own.
     */
    void expectExit() {
        checkExit();
        if (!exit.isDone()) {
            var unused = loop.schedule(this::expectExit, EXIT_CHECK.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void checkExit() {
        if (!process.isAlive() && !exit.isDone()) {
            emptying.cancel(false);
            emptyPipe();
            exit.complete(process.exitValue());
        }
    }

    private synchronized void emptyPipe() {
        InputStream pipe = process.getInputStream();
        byte[] buffer = new byte[OUTPUT_TAIL_BYTES];
        int attempts = 0;
        for (int total = 0; total < MAX_BYTES_AT_ONCE; ) {
            try {
                int available = pipe.available();
                if (available <= 0) {
                    return;
                }
                int length = pipe.read(buffer, 0, Math.min(available, buffer.length));
                if (length <= 0) {
                    return;
                }
                output.append(buffer, 0, length);
                total += length;
            } catch (IOException e) {
                // At the process's end the JDK exchanges the pipe for what was left in it, maybe just now: look again.
                if (++attempts == 3) {
                    return;
                }
            }
        }
    }
}
