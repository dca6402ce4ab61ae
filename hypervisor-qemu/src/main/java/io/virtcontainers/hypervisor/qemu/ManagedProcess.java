// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.linux.LinuxException;
import io.virtcontainers.linux.LinuxProcess;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A process that is watched, with a bounded tail of its output if it is a child. Thread-safe. */
final class ManagedProcess implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ManagedProcess.class);
    private static final int OUTPUT_TAIL_BYTES = 8 << 10;
    private static final int SIGTERM = 15;
    private static final int SIGKILL = 9;

    private final LinuxProcess process;
    private final TailBuffer output;
    private final CompletableFuture<OptionalInt> exit;

    ManagedProcess(LinuxProcess process, TailBuffer output) {
        this.process = process;
        this.output = output;
        this.exit = process.exit();
    }

    static TailBuffer newOutput() {
        return new TailBuffer(OUTPUT_TAIL_BYTES);
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return !exit.isDone();
    }

    /**
     * Completes when the process is dead, and collected if it is a child: with its exit code, 128 + n for a death by signal
     * n; empty if it is not a child. Runs what depends on it on the thread that watches all processes.
     */
    CompletableFuture<OptionalInt> exit() {
        return exit;
    }

    /** The last lines of its standard output and error. */
    String output() {
        return output.text();
    }

    void terminate() {
        signal(SIGTERM);
    }

    void kill() {
        signal(SIGKILL);
    }

    private void signal(int number) {
        try {
            boolean unused = process.signal(number);
        } catch (LinuxException e) {
            // The wait for its end that follows will tell.
            log.warn("cannot signal a process pid={} error={}", pid(), e.getMessage());
        }
    }

    /** @return whether the process is dead */
    boolean waitFor(Duration time) throws InterruptedException {
        try {
            OptionalInt unused = exit.get(time.toNanos(), TimeUnit.NANOSECONDS);
            return true;
        } catch (TimeoutException | ExecutionException e) {
            return !isAlive();
        }
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

    /** Watches it no longer and leaves it running; {@link #exit} never completes then. Does nothing after its end. */
    @Override
    public void close() {
        process.close();
    }
}
