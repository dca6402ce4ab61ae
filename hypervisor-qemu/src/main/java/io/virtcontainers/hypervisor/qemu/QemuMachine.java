// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.VirtualMachine;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running QEMU with its QMP connection and its console. Thread-safe. */
final class QemuMachine implements VirtualMachine {
    private static final Logger log = LoggerFactory.getLogger(QemuMachine.class);

    /** How long the last bytes of a dead QEMU may take to get here; they are in the sockets already. */
    private static final Duration LAST_BYTES = Duration.ofMillis(300);

    private static final Duration MAX_QUIT = Duration.ofSeconds(2);
    /** For a QEMU that has closed its QMP connection. */
    private static final Duration ENDING = Duration.ofMillis(300);

    private static final Duration MAX_TERMINATE = Duration.ofSeconds(1);

    /** What SIGKILL gets even when the deadline is over, as nothing may be left behind. */
    private static final Duration MIN_KILL = Duration.ofSeconds(1);

    private final String sandboxId;
    private final ManagedProcess process;
    private final Sockets sockets;
    private final GuestChannel channel;
    private final CompletableFuture<String> exit = new CompletableFuture<>();
    private volatile boolean stopRequested;

    QemuMachine(String sandboxId, ManagedProcess process, Sockets sockets, SandboxFiles files, EventLoop loop) {
        this.sandboxId = sandboxId;
        this.process = process;
        this.sockets = sockets;
        this.channel = new GuestChannel(files.agentSocket());
        var unusedWatch = sockets.qmpClosed().thenRun(process::expectExit);
        var unusedFinish = process.exit().thenAccept(code -> finishSoon(code, loop));
    }

    private void finishSoon(int exitCode, EventLoop loop) {
        try {
            var unusedEnd = sockets.closed().thenRun(() -> finish(exitCode));
            var unusedTimer = loop.schedule(() -> finish(exitCode), LAST_BYTES.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            finish(exitCode);
        }
    }

    private void finish(int exitCode) {
        if (exit.isDone()) {
            return;
        }
        String reason = ExitReason.of(exitCode, stopRequested, sockets.events(), sockets.console(), process.output());
        sockets.close();
        if (exit.complete(reason)) {
            log.debug("qemu ended sandbox={} pid={} reason={}", sandboxId, pid(), reason);
        }
    }

    @Override
    public long pid() {
        return process.pid();
    }

    @Override
    public GuestChannel channel() {
        return channel;
    }

    @Override
    public String addBlockDevice(String id, Path image, boolean readOnly, Deadline deadline) {
        return sockets.disks().add(id, image, readOnly, deadline);
    }

    @Override
    public void removeBlockDevice(String id, Deadline deadline) {
        sockets.disks().remove(id, deadline);
    }

    @Override
    public CompletableFuture<String> onExit() {
        return exit.copy();
    }

    @Override
    public Diagnostics diagnostics() {
        return new Diagnostics(
                "", sockets.console(), process.output(), sockets.events().last());
    }

    /** Asks over QMP, then sends SIGTERM, then SIGKILL; an interrupt leads to SIGKILL at once. */
    @Override
    public void stop(Deadline deadline) {
        if (process.isAlive()) {
            stopRequested = true;
            try {
                if (!quit(deadline) && !terminate(deadline)) {
                    kill(deadline);
                }
            } catch (InterruptedException e) {
                try {
                    kill(deadline);
                } finally {
                    Thread.currentThread().interrupt();
                }
            }
        }
        awaitFinish();
    }

    private boolean quit(Deadline deadline) throws InterruptedException {
        Deadline slice = deadline.atMost(MAX_QUIT).atMost(deadline.remaining().dividedBy(3));
        CompletableFuture<Boolean> answered = new CompletableFuture<>();
        var unused =
                sockets.qmp().send("quit", Map.of()).whenComplete((answer, error) -> answered.complete(error == null));
        try {
            boolean accepted = answered.get(slice.remaining().toNanos(), TimeUnit.NANOSECONDS);
            // Refused because the connection has ended: then QEMU may be about to end as well.
            return process.waitFor(
                    accepted ? slice.remaining() : slice.atMost(ENDING).remaining());
        } catch (TimeoutException | ExecutionException e) {
            return !process.isAlive();
        }
    }

    private boolean terminate(Deadline deadline) throws InterruptedException {
        log.info("qemu did not quit, sending SIGTERM sandbox={} pid={}", sandboxId, pid());
        process.terminate();
        return process.waitFor(deadline.atMost(MAX_TERMINATE)
                .atMost(deadline.remaining().dividedBy(2))
                .remaining());
    }

    private void kill(Deadline deadline) {
        Duration remaining = deadline.remaining();
        Duration time = remaining.compareTo(MIN_KILL) < 0 ? MIN_KILL : remaining;
        if (!process.killAndWait(time)) {
            throw new HypervisorException("QEMU of sandbox " + sandboxId + " (pid " + pid()
                    + ") survived SIGKILL for " + time.toMillis()
                    + " ms; it must be stuck in the host's kernel: see /proc/" + pid() + "/stack");
        }
    }

    /** The process is dead: lets its last words be read, which is a matter of milliseconds, before the sockets go. */
    private void awaitFinish() {
        try {
            String unused = exit.get(2 * LAST_BYTES.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (TimeoutException | ExecutionException e) {
            sockets.close();
        }
    }
}
