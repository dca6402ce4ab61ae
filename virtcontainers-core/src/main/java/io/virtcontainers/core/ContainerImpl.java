// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.ContainerStatus;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestPath;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HostProcess;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.SandboxEvent;
import io.virtcontainers.Signal;
import io.virtcontainers.State;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.core.state.SandboxRecord;
import io.virtcontainers.spi.Agent;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** One container, as this process sees it: what changes something is done by {@link ContainerLife}. */
final class ContainerImpl implements Container {
    private final SandboxLife sandbox;
    private final String id;
    private final ContainerLife life;
    private volatile @Nullable Watched watched;

    /** An init process, and of which container in the guest it is. */
    private record Watched(String incarnation, GuestProcess process) {}

    ContainerImpl(SandboxLife sandbox, String id) {
        this.sandbox = sandbox;
        this.id = id;
        this.life = sandbox.containerLife();
    }

    @Override
    public String id() {
        return id;
    }

    private ContainerRecord record(SandboxRecord now) {
        return now.container(id).orElseThrow(() -> sandbox.noContainer(now, id));
    }

    @Override
    public ContainerConfig config() {
        return record(sandbox.snapshot()).config();
    }

    @Override
    public Map<String, String> annotations() {
        return config().annotations();
    }

    @Override
    public State state() {
        return status().state();
    }

    @Override
    public ContainerStatus status() {
        return sandbox.status().containers().stream()
                .filter(container -> container.id().equals(id))
                .findFirst()
                .orElseThrow(() -> sandbox.noContainer(sandbox.record(), id));
    }

    @Override
    public void start() {
        life.start(id);
    }

    @Override
    public void stop() {
        life.stop(id);
    }

    @Override
    public void pause() {
        life.pause(id);
    }

    @Override
    public void resume() {
        life.resume(id);
    }

    @Override
    public void update(Resources changes) {
        life.update(id, changes);
    }

    @Override
    public void annotate(Map<String, String> more) {
        life.annotate(id, more);
    }

    @Override
    public void shim(HostProcess process) {
        life.shim(id, process);
    }

    @Override
    public void delete() {
        life.delete(id);
    }

    // Processes

    /** Watches the init process of a container in the guest from now on. */
    synchronized GuestProcess watch(String incarnation, ContainerConfig config, Agent agent) {
        Watched known = watched;
        if (known != null && known.incarnation().equals(incarnation)) {
            return known.process();
        }
        GuestProcess process = agent.process(id, id, config.process().terminal().isPresent());
        watched = new Watched(incarnation, process);
        report(process, /* settles= */ true);
        return process;
    }

    private void report(GuestProcess process, boolean settles) {
        var unused = process.onExit().thenAccept(exit -> {
            sandbox.publisher().publish(new SandboxEvent.ProcessExited(sandbox.id(), id, process.id(), exit));
            if (settles) {
                sandbox.settleLater();
            }
        });
    }

    private Optional<GuestProcess> init(String incarnation) {
        Watched known = watched;
        return known != null && known.incarnation().equals(incarnation)
                ? Optional.of(known.process())
                : Optional.empty();
    }

    boolean isWatched(String incarnation) {
        return init(incarnation).isPresent();
    }

    /** Whether the init process is known to have ended. */
    boolean hasEnded(String incarnation) {
        return init(incarnation).map(process -> !process.isAlive()).orElse(false);
    }

    /** How the init process ended, if it did and this process saw it. */
    Optional<ExitStatus> exit(String incarnation) {
        return init(incarnation)
                .filter(process -> !process.isAlive())
                .map(GuestProcess::onExit)
                .filter(end -> end.isDone() && !end.isCompletedExceptionally())
                .map(CompletableFuture::join);
    }

    @Override
    public GuestProcess process() {
        SandboxRecord now;
        ContainerRecord container;
        try {
            now = sandbox.snapshot();
            container = record(now);
        } catch (NotFoundException deleted) {
            Watched last = watched;
            if (last != null) {
                return last.process();
            }
            throw deleted;
        }
        Optional<GuestProcess> known = init(container.incarnation());
        if (known.isPresent()) {
            return known.get();
        }
        if (now.isUp() && !sandbox.isMachineDead(now) && now.held().contains(Held.guestContainer(id))) {
            return watch(container.incarnation(), container.config(), sandbox.agent());
        }
        return new EndedProcess(id, id, container.exit());
    }

    @Override
    public GuestProcess process(String processId) {
        if (processId.equals(id)) {
            return process();
        }
        sandbox.requireUsable("attach to process " + processId);
        Optional<ExitStatus> unused =
                sandbox.ask("process.find", deadline -> sandbox.agent().exitOf(id, processId, deadline));
        return sandbox.agent().process(id, processId, /* terminal= */ false);
    }

    @Override
    public GuestProcess exec(ProcessConfig process) {
        require(Operation.EXEC, "exec " + process.command());
        String execId = "exec-" + UUID.randomUUID();
        GuestProcess started =
                sandbox.ask("process.exec", deadline -> sandbox.agent().exec(id, execId, process, deadline));
        report(started, /* settles= */ false);
        return started;
    }

    @Override
    public void kill(Signal signal) {
        SandboxRecord now = sandbox.snapshot();
        if (life.effectiveState(now, record(now)) == State.STOPPED) {
            return;
        }
        sandbox.requireUsable("kill container " + id);
        boolean unused = sandbox.ask("container.kill", deadline -> {
            sandbox.agent().signalContainer(id, signal, deadline);
            return true;
        });
    }

    @Override
    public List<Long> pids() {
        require(Operation.INSPECT, "list its processes");
        return sandbox.ask("container.pids", deadline -> sandbox.agent().pids(id, deadline));
    }

    @Override
    public void copyIn(Path source, GuestPath target) {
        require(Operation.INSPECT, "copy a file into it");
        String unused = sandbox.ask("container.copy", deadline -> {
            sandbox.agent().copyIn(id, source, target, deadline);
            return "";
        });
    }

    @Override
    public void copyOut(GuestPath source, Path target, MemorySize max) {
        require(Operation.INSPECT, "copy a file out of it");
        String unused = sandbox.ask("container.copy", deadline -> {
            sandbox.agent().copyOut(id, source, target, max, deadline);
            return "";
        });
    }

    @Override
    public String processTable(String... psArguments) {
        require(Operation.INSPECT, "list its processes");
        List<String> arguments = psArguments.length == 0 ? List.of("-ef") : List.of(psArguments);
        return sandbox.ask("container.ps", deadline -> sandbox.agent().processTable(id, arguments, deadline));
    }

    @Override
    public ContainerStats stats() {
        require(Operation.INSPECT, "tell its statistics");
        return sandbox.ask("container.stats", deadline -> sandbox.agent().stats(id, deadline));
    }

    /** By a snapshot and the facts: the container's state first, as it says more. */
    private void require(Operation operation, String asked) {
        SandboxRecord now = sandbox.snapshot();
        try {
            operation.require("container " + id, life.effectiveState(now, record(now)), asked);
        } catch (VirtException e) {
            throw e.withDiagnostics(sandbox.diagnostics());
        }
        SandboxRecord unused = sandbox.requireUsable(asked);
    }
}
