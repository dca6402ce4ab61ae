// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.VirtualMachine;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running QEMU, launched by this process or attached to. Thread-safe. */
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
    private final HostProcess identity;
    private final ManagedProcess process;
    private final Link link;
    private final List<GuestChannel> channels;
    private final boolean detached;
    private final EventLoop loop;
    private final Disks disks;
    private final CompletableFuture<String> exit = new CompletableFuture<>();
    private volatile boolean stopRequested;
    private volatile boolean released;

    /** @param process watches the process {@code identity} */
    QemuMachine(
            String sandboxId,
            HostProcess identity,
            ManagedProcess process,
            Link link,
            SandboxFiles files,
            boolean detached,
            EventLoop loop) {
        this.sandboxId = sandboxId;
        this.identity = identity;
        this.process = process;
        this.link = link;
        this.channels =
                files.agentSockets(detached).stream().map(GuestChannel::new).toList();
        this.detached = detached;
        this.loop = loop;
        this.disks = new Disks(link);
        var unused = process.exit().thenAccept(this::finishSoon);
    }

    private void finishSoon(OptionalInt exitCode) {
        try {
            var unusedEnd = link.drained().thenRunAsync(() -> finish(exitCode), loop);
            var unusedTimer = loop.schedule(() -> finish(exitCode), LAST_BYTES.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            finish(exitCode);
        }
    }

    private void finish(OptionalInt exitCode) {
        if (exit.isDone()) {
            return;
        }
        String reason = ExitReason.of(exitCode, stopRequested, link.events(), link.console(), process.output());
        link.close();
        if (exit.complete(reason)) {
            log.debug("qemu ended sandbox={} pid={} reason={}", sandboxId, identity.pid(), reason);
        }
    }

    @Override
    public HostProcess process() {
        return identity;
    }

    @Override
    public List<GuestChannel> channels() {
        return channels;
    }

    @Override
    public String addBlockDevice(String id, Path image, boolean readOnly, Deadline deadline) {
        return disks.add(id, image, readOnly, deadline);
    }

    @Override
    public void removeBlockDevice(String id, Deadline deadline) {
        disks.remove(id, deadline);
    }

    @Override
    public void pause(Deadline deadline) {
        var unused = link.call(deadline, qmp -> qmp.execute("stop", Map.of(), deadline));
    }

    @Override
    public void resume(Deadline deadline) {
        var unused = link.call(deadline, qmp -> qmp.execute("cont", Map.of(), deadline));
    }

    @Override
    public boolean isPaused(Deadline deadline) {
        return !link.call(deadline, qmp -> qmp.execute("query-status", Map.of(), deadline))
                .path("running")
                .asBoolean();
    }

    @Override
    public CompletableFuture<String> onExit() {
        return exit.copy();
    }

    @Override
    public Diagnostics diagnostics() {
        return new Diagnostics(
                "", link.console(), process.output(), link.events().last());
    }

    /** Asks over QMP, then sends SIGTERM, then SIGKILL; an interrupt leads to SIGKILL at once. */
    @Override
    public void stop(Deadline deadline) {
        if (process.isAlive()) {
            if (released) {
                throw new HypervisorException(
                        "cannot stop sandbox " + sandboxId + " by a machine that was released; attach to it again");
            }
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
        try {
            var unused = link.call(slice, qmp -> qmp.execute("quit", Map.of(), slice));
            return process.waitFor(slice.remaining());
        } catch (CancelledException e) {
            boolean unusedFlag = Thread.interrupted();
            throw new InterruptedException();
        } catch (DeadlineExceededException e) {
            return !process.isAlive();
        } catch (HypervisorException e) {
            // No connection, or one that has ended: then QEMU may be about to end as well.
            return process.waitFor(slice.atMost(ENDING).remaining());
        }
    }

    private boolean terminate(Deadline deadline) throws InterruptedException {
        log.info("qemu did not quit, sending SIGTERM sandbox={} pid={}", sandboxId, identity.pid());
        process.terminate();
        return process.waitFor(deadline.atMost(MAX_TERMINATE)
                .atMost(deadline.remaining().dividedBy(2))
                .remaining());
    }

    private void kill(Deadline deadline) {
        Duration remaining = deadline.remaining();
        Duration time = remaining.compareTo(MIN_KILL) < 0 ? MIN_KILL : remaining;
        if (!process.killAndWait(time) && identity.isAlive()) {
            throw new HypervisorException("QEMU of sandbox " + sandboxId + " (pid " + identity.pid()
                    + ") survived SIGKILL for " + time.toMillis()
                    + " ms; it must be stuck in the host's kernel: see /proc/" + identity.pid() + "/stack");
        }
    }

    /** The process is dead: lets its last words be read, which is a matter of milliseconds, before the sockets go. */
    private void awaitFinish() {
        try {
            String unused = exit.get(2 * LAST_BYTES.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (TimeoutException | ExecutionException e) {
            link.close();
        }
    }

    /** Ends a machine that is not detached, as nobody could reach it any more. */
    @Override
    public void release() {
        if (!process.isAlive() || released) {
            return;
        }
        if (!detached) {
            stop(Deadline.after(MIN_KILL));
            return;
        }
        released = true;
        link.close();
        process.close();
        log.debug("qemu released sandbox={} pid={}", sandboxId, identity.pid());
    }
}
