// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.AgentConnectionLostException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.IllegalTransitionException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.State;
import io.virtcontainers.Timeline;
import io.virtcontainers.VirtException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One sandbox.
 *
 * <p>Two rules keep it honest. Every operation that changes what the sandbox has holds {@link #lock}; what happens inside
 * a container (start, exec, signals, streams) does not. And the end of the virtual machine, which nobody can lock out, is an event ({@link #vmEnded}) that
 * sets the state and fails everything that waits for the guest, with the reason; so no call waits for a dead machine, and
 * {@link #state} never says running after it.
 *
 * <p>States: ready (claimed, nothing runs) -> running -> stopped. Deleting frees the id.
 */
final class SandboxImpl implements Sandbox {
    private static final Logger log = LoggerFactory.getLogger(SandboxImpl.class);

    /** The first build of an initrd may take a while on a slow disk. */
    private static final Duration BUILD = Duration.ofMinutes(5);

    private static final Duration REQUEST = Duration.ofSeconds(60);
    private static final Duration AGENT_SHUTDOWN = Duration.ofSeconds(2);
    private static final Duration VM_STOP = Duration.ofSeconds(10);

    /** How long a failed request waits to learn whether the machine has died: the kernel reports it within that time. */
    private static final Duration DEATH_NEWS = Duration.ofMillis(500);

    private final SandboxConfig config;
    private final Backends backends;
    private final StateDirectory.Claim claim;
    private final GuestImage image;
    private final PhaseRecorder phases;
    private final Consumer<SandboxImpl> onDelete;
    private final SandboxLock lock;
    private final Map<String, ContainerImpl> containers = new LinkedHashMap<>();
    private final CompletableFuture<String> exit = new CompletableFuture<>();
    private volatile State state = State.READY;
    private volatile boolean stopping;
    private volatile @Nullable VirtualMachine vm;
    private volatile @Nullable Agent agent;
    private boolean deleted;

    private SandboxImpl(
            SandboxConfig config,
            Backends backends,
            StateDirectory.Claim claim,
            GuestImage image,
            PhaseRecorder phases,
            Consumer<SandboxImpl> onDelete) {
        this.config = config;
        this.backends = backends;
        this.claim = claim;
        this.image = image;
        this.phases = phases;
        this.onDelete = onDelete;
        this.lock = new SandboxLock(config.id());
    }

    static SandboxImpl create(
            SandboxConfig config, Backends backends, StateDirectory stateDirectory, Consumer<SandboxImpl> onDelete) {
        PhaseRecorder phases = new PhaseRecorder(config.id());
        GuestImage image;
        try (Phases.Phase phase = phases.begin("guest.image")) {
            image = backends.images().guestImage(config.hypervisor().kernel(), phases, Deadline.after(BUILD));
        }
        StateDirectory.Claim claim = stateDirectory.claim(config.id(), backends.hypervisor());
        return new SandboxImpl(config, backends, claim, image, phases, onDelete);
    }

    @Override
    public String id() {
        return config.id();
    }

    @Override
    public SandboxConfig config() {
        return config;
    }

    @Override
    public State state() {
        return state;
    }

    @Override
    public Timeline timeline() {
        return phases.timeline();
    }

    @Override
    public Diagnostics diagnostics() {
        VirtualMachine machine = vm;
        return machine == null ? Diagnostics.none() : machine.diagnostics();
    }

    @Override
    public CompletableFuture<String> onExit() {
        return exit.copy();
    }

    @Override
    public void start() {
        lock.during("start", () -> {
            if (state != State.READY) {
                throw new IllegalTransitionException(
                        "sandbox " + id(), state, "start", "a stopped sandbox is deleted and created again");
            }
            try {
                boot(Deadline.after(config.bootDeadline()));
            } catch (RuntimeException e) {
                endMachine(e);
                throw e;
            }
            log.debug("sandbox started: sandbox={} pid={}", id(), machine().pid());
            return null;
        });
    }

    private void boot(Deadline deadline) {
        VirtualMachine machine = step(
                "hypervisor.launch",
                () -> backends.hypervisor()
                        .launch(
                                new VmConfig(
                                        id(),
                                        claim.directory(),
                                        config.vcpus(),
                                        config.memory(),
                                        config.hypervisor(),
                                        image,
                                        backends.agents().kernelParameters()),
                                phases,
                                deadline));
        vm = machine;
        Agent connecting = backends.agents().connect(machine.channel());
        agent = connecting;
        var unused = machine.onExit().thenAccept(this::vmEnded);
        if (stopping) {
            throw died("stopped"); // by another thread, which found no agent to abort
        }
        step("agent.connect", () -> {
            connecting.awaitReady(deadline);
            return null;
        });
        step("sandbox.create", () -> {
            connecting.createSandbox(id(), config.hostname(), deadline);
            return null;
        });
        become(State.RUNNING);
        if (machine.onExit().isDone()) {
            vmEnded(machine.onExit().join());
            throw died(machine.onExit().join());
        }
    }

    /** Sets the state, except that nothing follows stopped: the machine's end may come at any moment. */
    private synchronized void become(State next) {
        if (state.mayBecome(next)) {
            state = next;
        }
    }

    /** The event: the machine has ended, asked to or not. */
    private void vmEnded(String reason) {
        become(State.STOPPED);
        if (!stopping) {
            log.info("virtual machine ended: sandbox={} reason={}", id(), reason);
        }
        Agent connected = agent;
        if (connected != null) {
            connected.abort(died(reason));
        }
        exit.complete(reason);
    }

    private VirtException died(String reason) {
        return stopping
                ? new VmDiedException("sandbox " + id() + " was stopped")
                : new VmDiedException("the virtual machine of sandbox " + id() + " ended: " + reason)
                        .withDiagnostics(diagnostics());
    }

    @Override
    public void stop() {
        ended(this::end);
    }

    private void end() {
        if (state == State.RUNNING || state == State.PAUSED) {
            shutDownAgent();
        }
        endMachine(null);
    }

    /** Runs the last operation; what another thread waits for in the guest, a boot above all, is ended for it. */
    private void ended(Runnable work) {
        lock.duringTheEnd(this::cutOff, config.bootDeadline(), () -> endMachine(null), work);
    }

    private void cutOff() {
        stopping = true;
        Agent connected = agent;
        if (connected != null) {
            connected.abort(died("stopped"));
        }
    }

    private void shutDownAgent() {
        try (Phases.Phase phase = phases.begin("sandbox.destroy")) {
            agent().destroySandbox(Deadline.after(AGENT_SHUTDOWN));
        } catch (CancelledException e) {
            log.debug("interrupted while the agent shut down; the machine is ended all the same: sandbox={}", id());
        } catch (VirtException e) {
            log.debug("the agent did not shut down; the machine is ended all the same: sandbox={}", id(), e);
        }
    }

    /** Ends the machine for sure; a failure to do so joins the failure that led here, or is thrown. */
    private void endMachine(@Nullable RuntimeException failure) {
        stopping = true;
        VirtualMachine machine = vm;
        try {
            if (machine != null) {
                try (Phases.Phase phase = phases.begin("hypervisor.stop")) {
                    machine.stop(Deadline.after(VM_STOP));
                }
            }
            become(State.STOPPED);
            exit.complete("stopped");
        } catch (RuntimeException e) {
            if (failure == null) {
                throw e;
            }
            Engine.suppress(failure, e);
        } finally {
            Agent connected = agent;
            if (connected != null) {
                connected.abort(died("stopped")); // what the event of the end says too, perhaps a moment later
                connected.close();
            }
        }
    }

    @Override
    public void delete() {
        ended(() -> {
            if (deleted) {
                return;
            }
            end();
            try {
                claim.release();
            } catch (IOException e) {
                throw new VirtException("cannot remove " + claim.directory() + " of sandbox " + id() + ": " + e, e);
            }
            deleted = true;
            onDelete.accept(this);
        });
    }

    @Override
    public void close() {
        delete();
    }

    @Override
    public Container createContainer(ContainerConfig container) {
        requireRunning("create container " + container.id());
        Path disk = step("rootfs.image", () -> RootFsImages.of(container.rootfs(), backends.images(), phases));
        return lock.during("create container " + container.id(), () -> {
            requireRunning("create container " + container.id());
            synchronized (containers) {
                if (containers.containsKey(container.id())) {
                    throw new AlreadyExistsException(
                            "container " + container.id() + " exists already in sandbox " + id() + ": delete it first");
                }
            }
            Deadline deadline = Deadline.after(REQUEST);
            try {
                String address = step(
                        "disk.attach",
                        () -> machine().addBlockDevice(container.id(), disk, /* readOnly= */ true, deadline));
                step("container.create", () -> {
                    agent().createContainer(container, address, deadline);
                    return null;
                });
            } catch (RuntimeException e) {
                undoCreate(container.id(), e);
                throw e;
            }
            ContainerImpl created = new ContainerImpl(this, container, agent().initProcess(container));
            synchronized (containers) {
                containers.put(container.id(), created);
            }
            return created;
        });
    }

    private void undoCreate(String container, RuntimeException failure) {
        if (state != State.RUNNING) {
            return;
        }
        Deadline deadline = Deadline.after(REQUEST);
        if (failure instanceof DeadlineExceededException || failure instanceof CancelledException) {
            // What the guest made of it is unknown.
            undo(failure, () -> agent().removeContainer(container, deadline));
        }
        undo(failure, () -> machine().removeBlockDevice(container, deadline));
    }

    /** Not prevented by an interrupt, which may be the failure itself. */
    private static void undo(RuntimeException failure, Runnable step) {
        try {
            Interrupts.heldBack(step);
        } catch (RuntimeException e) {
            Engine.suppress(failure, e);
        }
    }

    /** Removes a container from the guest and from this sandbox; may be repeated after a failure. */
    void removeContainer(ContainerImpl container) {
        lock.during("delete container " + container.id(), () -> {
            synchronized (containers) {
                if (containers.get(container.id()) != container) {
                    return null;
                }
            }
            if (state == State.RUNNING) {
                Deadline deadline = Deadline.after(REQUEST);
                step("container.remove", () -> {
                    agent().removeContainer(container.id(), deadline);
                    return null;
                });
                step("disk.detach", () -> {
                    machine().removeBlockDevice(container.id(), deadline);
                    return null;
                });
            }
            synchronized (containers) {
                containers.remove(container.id());
            }
            return null;
        });
    }

    @Override
    public List<Container> containers() {
        synchronized (containers) {
            return List.copyOf(containers.values());
        }
    }

    @Override
    public Container container(String containerId) {
        synchronized (containers) {
            return Optional.ofNullable(containers.get(containerId))
                    .orElseThrow(() -> new NotFoundException("sandbox " + id() + " has no container " + containerId
                            + "; it has: " + containers.keySet()));
        }
    }

    void requireRunning(String operation) {
        if (state != State.RUNNING) {
            String remedy = state == State.READY ? "start it first" : "create another sandbox";
            throw new IllegalTransitionException("sandbox " + id(), state, operation, remedy)
                    .withDiagnostics(diagnostics());
        }
    }

    Agent agent() {
        Agent connected = agent;
        if (connected == null) {
            throw new IllegalStateException("no agent before the start");
        }
        return connected;
    }

    private VirtualMachine machine() {
        VirtualMachine machine = vm;
        if (machine == null) {
            throw new IllegalStateException("no machine before the start");
        }
        return machine;
    }

    /** Runs one recorded phase; its error says the phase, what the machine showed, and whether the machine has died. */
    <T extends @Nullable Object> T step(String phase, Supplier<T> work) {
        try (Phases.Phase recorded = phases.begin(phase)) {
            return work.get();
        } catch (VirtException e) {
            throw explain(phase, e);
        }
    }

    /** As {@link #step}, for frequent operations that the timeline need not list. */
    <T extends @Nullable Object> T request(String phase, Supplier<T> work) {
        try {
            return work.get();
        } catch (VirtException e) {
            throw explain(phase, e);
        }
    }

    private VirtException explain(String phase, VirtException e) {
        VirtualMachine machine = vm;
        if (machine == null) {
            return e.withDiagnostics(Diagnostics.none().inPhase(phase));
        }
        if (e instanceof AgentConnectionLostException
                || (e instanceof HypervisorException && !(e instanceof VmDiedException))) {
            try {
                VirtException death = died(exit.get(DEATH_NEWS.toMillis(), TimeUnit.MILLISECONDS));
                death.addSuppressed(e);
                return death;
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            } catch (ExecutionException | TimeoutException alive) {
                // The machine runs: the error says what there is to say.
            }
        }
        return e.withDiagnostics(machine.diagnostics().inPhase(phase));
    }
}
