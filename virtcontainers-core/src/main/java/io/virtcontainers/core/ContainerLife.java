// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.AgentConnectionLostException;
import io.virtcontainers.AgentException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.Device;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HostProcess;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.Resources;
import io.virtcontainers.Signal;
import io.virtcontainers.State;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.core.state.Pending;
import io.virtcontainers.core.state.SandboxRecord;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.ContainerRoot;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The life of the containers and devices of one sandbox: whatever acquires or gives back something in its virtual machine.
 * Each operation follows the order of {@link SandboxLife}: lock, settled record, state, journal, act, record.
 */
final class ContainerLife {
    private static final Logger log = LoggerFactory.getLogger(ContainerLife.class);
    private static final Duration UNDO = Duration.ofSeconds(10);
    private static final Duration KILLED = Duration.ofSeconds(10);

    private final SandboxLife sandbox;

    /** What the agent said of processes that this process does not wait for, by incarnation. */
    private final Map<String, ExitStatus> learned = new ConcurrentHashMap<>();

    private final PluggedCards cards;
    private final MachineFit fit;

    ContainerLife(SandboxLife sandbox) {
        this.sandbox = sandbox;
        this.cards = new PluggedCards(sandbox);
        this.fit = new MachineFit(sandbox);
    }

    private SandboxRecord record() {
        return sandbox.record();
    }

    private static String what(String id) {
        return "container " + id;
    }

    private ContainerRecord required(String id) {
        return record().container(id).orElseThrow(() -> sandbox.noContainer(record(), id));
    }

    private void requireRunningSandbox(String operation) {
        Operation.USE.require("sandbox " + sandbox.id(), record().state(), operation);
    }

    // Facts

    /** The state that the facts demand, seen without the lock. */
    State effectiveState(SandboxRecord now, ContainerRecord container) {
        boolean ended = !now.isUp()
                || sandbox.isMachineDead(now)
                || isShimDead(container)
                || sandbox.handle(container.id()).hasEnded(container.incarnation());
        return ended ? State.STOPPED : container.state();
    }

    private static boolean isShimDead(ContainerRecord container) {
        return container.shim().isPresent() && !container.shim().get().isAlive();
    }

    private Optional<ExitStatus> exitOf(ContainerRecord container) {
        Optional<ExitStatus> seen = sandbox.handle(container.id()).exit(container.incarnation());
        return seen.isPresent() ? seen : Optional.ofNullable(learned.get(container.incarnation()));
    }

    /** Asks for the ends that happened while this process was not connected. */
    void learnExits(Agent agent, Deadline deadline) {
        for (ContainerRecord container : record().containers()) {
            String id = container.id();
            boolean watched = sandbox.handle(id).isWatched(container.incarnation());
            if (container.state() != State.STOPPED && !watched) {
                try {
                    agent.exitOf(id, id, deadline).ifPresent(exit -> learned.put(container.incarnation(), exit));
                } catch (NotFoundException e) {
                    log.debug("the guest does not know a container: sandbox={} container={}", sandbox.id(), id);
                }
            }
        }
    }

    /** The record with the ends that are known, before the machine's end makes all others unknown. */
    SandboxRecord withExits(SandboxRecord from) {
        SandboxRecord next = from;
        for (ContainerRecord container : from.containers()) {
            Optional<ExitStatus> exit = exitOf(container);
            if (container.state() != State.STOPPED && exit.isPresent()) {
                next = next.container(container.stopped(exit));
            }
        }
        return next;
    }

    /** Brings the containers to what the facts demand, without a question to the guest; needs the lock. */
    void settleFacts() {
        for (ContainerRecord container : record().containers()) {
            if (container.state() == State.STOPPED) {
                continue;
            }
            Optional<ExitStatus> exit = exitOf(container);
            if (isShimDead(container)) {
                sandbox.note(
                        record().container(container.stopped(exit))
                                .begin(Pending.Operation.STOP_CONTAINER, container.id()),
                        "its shim, " + container.shim().get() + ", is dead");
            } else if (exit.isPresent()) {
                sandbox.note(record().container(container.stopped(exit)), "its process ended");
            }
            learned.remove(container.incarnation());
        }
    }

    /** Ends what was cut off, until the guest fails to answer; needs the lock. */
    void finishPending(Deadline deadline) {
        for (Pending pending : record().pending()) {
            if (pending.container().isEmpty()) {
                continue; // the sandbox's own
            }
            try {
                finish(pending, deadline);
            } catch (CancelledException e) {
                throw e;
            } catch (VirtException e) {
                log.info(
                        "the guest does not let finish {} now, the next operation tries again:"
                                + " sandbox={} container={} error={}",
                        pending.operation(),
                        sandbox.id(),
                        pending.container(),
                        e.getMessage());
                return;
            }
        }
    }

    private void finish(Pending pending, Deadline deadline) {
        String id = pending.container();
        SandboxRecord next;
        if (pending.operation() == Pending.Operation.PAUSE_CONTAINER) {
            next = unfreeze(id, deadline);
        } else {
            release(id, deadline);
            next = switch (pending.operation()) {
                case START_CONTAINER, STOP_CONTAINER ->
                    record().container(id)
                            .map(container -> record().container(container.stopped(exitOf(container))))
                            .orElse(record());
                case DELETE_CONTAINER -> record().withoutContainer(id);
                default -> record(); // of what did not come into being there is no record
            };
        }
        sandbox.note(next.end(pending.operation(), id), "was cut off");
    }

    /** Whether a cut-off pause or resume has reached the guest is not known: it ends up running. */
    private SandboxRecord unfreeze(String id, Deadline deadline) {
        Optional<ContainerRecord> container = record().container(id).filter(known -> known.state() != State.STOPPED);
        if (container.isEmpty()) {
            return record();
        }
        try {
            sandbox.agent(deadline).resumeContainer(id, deadline);
        } catch (AgentConnectionLostException e) {
            throw e;
        } catch (AgentException notPaused) {
            log.debug("was not paused: container={} answer={}", id, notPaused.getMessage());
        }
        return container.get().state() == State.PAUSED
                ? record().container(container.get().state(State.RUNNING))
                : record();
    }

    /** Watches what was made before this process had the guest. */
    void watchAll(Agent agent) {
        for (ContainerRecord container : record().containers()) {
            if (container.state() != State.STOPPED) {
                GuestProcess unused =
                        sandbox.handle(container.id()).watch(container.incarnation(), container.config(), agent);
            }
        }
    }

    // Acquire and release

    private void acquire(
            ContainerConfig config,
            String incarnation,
            RootFileSystem rootfs,
            ContainerMounts mounts,
            Deadline deadline) {
        fit.growFor(config);
        ContainerRoot root = sandbox.step("device.attach", () -> rootfs.acquire(sandbox.machine(), deadline));
        sandbox.step("container.create", () -> {
            Agent agent = sandbox.agent(deadline);
            mounts.acquire(sandbox.machine(), agent, deadline);
            agent.createContainer(config, root, mounts.storages(), mounts.mounts(), List.of(), deadline);
            return null;
        });
        GuestProcess unused = sandbox.handle(config.id()).watch(incarnation, config, sandbox.agent(deadline));
    }

    /** Gives back what a container or device holds in the machine, last first; takes up where an earlier attempt ended. */
    private void release(String id, Deadline deadline) {
        if (record().held().contains(Held.guestContainer(id))) {
            sandbox.step("container.remove", () -> {
                sandbox.agent(deadline).removeContainer(id, deadline);
                return null;
            });
            sandbox.note(record().released(Held.guestContainer(id)), "released");
        }
        for (Held entry : record().held()) {
            if (entry.equals(Held.device(id)) || ContainerMounts.isOf(id, entry)) {
                sandbox.step("device.detach", () -> {
                    sandbox.machine().removeDevice(entry.id(), deadline);
                    return null;
                });
                sandbox.note(record().released(entry), "released");
            }
        }
        for (Held entry : record().held()) {
            if (entry.linkOf(id).isPresent()) {
                sandbox.step("device.detach", () -> {
                    cards.remove(id, entry, deadline);
                    return null;
                });
                sandbox.note(record().released(entry), "released");
            }
        }
    }

    /** Undoes what a failed operation holds, unless the machine's end has done it. */
    private void undo(RuntimeException failure, Pending.Operation operation, String id, Runnable afterwards) {
        sandbox.undo(failure, () -> {
            if (!sandbox.isMachineDead(record())) {
                release(id, Deadline.after(UNDO));
                afterwards.run();
                sandbox.note(record().end(operation, id), "failed");
            }
        });
    }

    // Operations

    Container create(ContainerConfig config) {
        String id = config.id();
        sandbox.requireUsable("create container " + id);
        RootFileSystem rootfs = rootfs(config);
        ContainerMounts mounts = mounts(config);
        return sandbox.locked("create container " + id, SandboxLife.PATIENCE, () -> {
            requireRunningSandbox("create container " + id);
            requireFree(id);
            release(id, Deadline.after(UNDO)); // what an earlier, failed one could not
            sandbox.save(holding(record().begin(Pending.Operation.CREATE_CONTAINER, id), id, mounts), "create");
            String incarnation = newIncarnation();
            try {
                acquire(config, incarnation, rootfs, mounts, Deadline.after(SandboxLife.REQUEST));
                sandbox.save(
                        record().container(ContainerRecord.created(config, incarnation, Instant.now()))
                                .endAll(id),
                        "create");
            } catch (RuntimeException e) {
                undo(e, Pending.Operation.CREATE_CONTAINER, id, () -> {});
                sandbox.forgetContainer(id);
                throw e;
            }
            return sandbox.handle(id);
        });
    }

    private static String newIncarnation() {
        return UUID.randomUUID().toString();
    }

    private static SandboxRecord holding(SandboxRecord from, String id, ContainerMounts mounts) {
        SandboxRecord next = from.holding(Held.device(id));
        for (Held entry : mounts.held()) {
            next = next.holding(entry);
        }
        return next.holding(Held.guestContainer(id));
    }

    private ContainerMounts mounts(ContainerConfig config) {
        return config.mounts().isEmpty()
                ? ContainerMounts.none(config)
                : sandbox.step(
                        "mounts.prepare",
                        () -> ContainerMounts.prepare(
                                config,
                                record().config().hypervisor(),
                                sandbox.backends().images(),
                                sandbox.phases()));
    }

    private RootFileSystem rootfs(ContainerConfig config) {
        return sandbox.step(
                "rootfs.image",
                () -> RootFileSystem.prepare(
                        config,
                        record().config().hypervisor(),
                        sandbox.backends().images(),
                        sandbox.phases()));
    }

    private void requireFree(String id) {
        if (record().container(id).isPresent()) {
            throw new AlreadyExistsException(
                    "container " + id + " exists already in sandbox " + sandbox.id() + ": delete it first");
        }
        if (record().devices().contains(id)) {
            throw new AlreadyExistsException(
                    "sandbox " + sandbox.id() + " has a device " + id + " already: take another id");
        }
    }

    void start(String id) {
        SandboxRecord before = sandbox.requireUsable("start container " + id);
        ContainerRecord known = before.container(id).orElseThrow(() -> sandbox.noContainer(before, id));
        // Packing takes long, and is needed for a restart only: not under the lock.
        Optional<RootFileSystem> prepared =
                effectiveState(before, known) == State.STOPPED ? Optional.of(rootfs(known.config())) : Optional.empty();
        sandbox.locked("start container " + id, () -> {
            requireRunningSandbox("start container " + id);
            ContainerRecord container = required(id);
            Operation.START.require(what(id), container.state());
            Deadline deadline = Deadline.after(SandboxLife.REQUEST);
            SandboxRecord begun = record().begin(Pending.Operation.START_CONTAINER, id);
            sandbox.save(begun, "start");
            boolean again = container.state() == State.STOPPED;
            String incarnation = again ? newIncarnation() : container.incarnation();
            try {
                if (again) {
                    release(id, deadline);
                    // Stopped since the look: then its image is in the cache, since its creation.
                    RootFileSystem rootfs = prepared.orElseGet(() -> rootfs(container.config()));
                    ContainerMounts mounts = mounts(container.config());
                    sandbox.save(holding(record(), id, mounts), "start");
                    acquire(container.config(), incarnation, rootfs, mounts, deadline);
                }
                sandbox.step("container.start", () -> {
                    sandbox.agent(deadline).startContainer(id, deadline);
                    return null;
                });
                sandbox.save(
                        record().container(container.started(incarnation, Instant.now()))
                                .endAll(id),
                        "start");
            } catch (RuntimeException e) {
                undo(
                        e,
                        Pending.Operation.START_CONTAINER,
                        id,
                        () -> sandbox.note(record().container(container.stopped(Optional.empty())), "did not start"));
                throw e;
            }
        });
    }

    void stop(String id) {
        sandbox.locked("stop container " + id, () -> {
            ContainerRecord container = required(id);
            if (container.state() == State.STOPPED && !record().held().contains(Held.guestContainer(id))) {
                return;
            }
            requireRunningSandbox("stop container " + id);
            sandbox.note(record().begin(Pending.Operation.STOP_CONTAINER, id), "stop");
            if (container.state() != State.STOPPED) {
                kill(id);
            }
            release(id, Deadline.after(SandboxLife.REQUEST));
            sandbox.note(
                    record().container(container.stopped(exitOf(container))).endAll(id), "stop");
            fit.shrink();
        });
    }

    /** So that who waits for the process learns how it ended; the removal that follows ends it in any case. */
    private void kill(String id) {
        sandbox.quietly("see the end of container " + id, () -> {
            Deadline deadline = Deadline.after(KILLED);
            GuestProcess init = sandbox.handle(id).process();
            sandbox.agent().signalContainer(id, Signal.KILL, deadline);
            ExitStatus unused = init.waitFor(deadline.remaining());
        });
    }

    void delete(String id) {
        try {
            sandbox.locked("delete container " + id, () -> {
                if (record().container(id).isEmpty()) {
                    return;
                }
                if (record().isUp()) {
                    requireRunningSandbox("delete container " + id);
                    sandbox.note(record().begin(Pending.Operation.DELETE_CONTAINER, id), "delete");
                    release(id, Deadline.after(SandboxLife.REQUEST));
                }
                sandbox.note(record().withoutContainer(id).end(Pending.Operation.DELETE_CONTAINER, id), "delete");
                if (record().isUp()) {
                    fit.shrink();
                }
                learned.remove(id);
                sandbox.forgetContainer(id);
            });
        } catch (NotFoundException e) {
            sandbox.forgetContainer(id); // with its sandbox
        }
    }

    void pause(String id) {
        freeze(id, Operation.PAUSE, State.PAUSED, "container.pause", Agent::pauseContainer);
    }

    void resume(String id) {
        freeze(id, Operation.RESUME, State.RUNNING, "container.resume", Agent::resumeContainer);
    }

    private interface Freezing {
        void of(Agent agent, String id, Deadline deadline);
    }

    private void freeze(String id, Operation operation, State next, String phase, Freezing freezing) {
        sandbox.locked(phase, () -> {
            ContainerRecord container = required(id);
            operation.require(what(id), container.state());
            requireRunningSandbox(phase);
            sandbox.save(record().begin(Pending.Operation.PAUSE_CONTAINER, id), phase);
            try {
                sandbox.request(phase, () -> {
                    Deadline deadline = Deadline.after(SandboxLife.REQUEST);
                    freezing.of(sandbox.agent(deadline), id, deadline);
                    return null;
                });
            } catch (AgentConnectionLostException e) {
                throw e; // the outcome is unknown: the next operation settles it
            } catch (AgentException e) {
                sandbox.note(record().end(Pending.Operation.PAUSE_CONTAINER, id), "refused");
                throw e;
            }
            sandbox.note(record().container(container.state(next)).end(Pending.Operation.PAUSE_CONTAINER, id), phase);
        });
    }

    void update(String id, Resources changes) {
        sandbox.locked("update container " + id, () -> {
            ContainerRecord container = required(id);
            Operation.UPDATE.require(what(id), container.state());
            requireRunningSandbox("update container " + id);
            ContainerConfig old = container.config();
            Resources all = old.resources().with(changes); // as upstream's agent replaces all limits
            fit.growFor(old.withResources(all));
            sandbox.request("container.update", () -> {
                sandbox.agent().updateContainer(id, all, Deadline.after(SandboxLife.REQUEST));
                return null;
            });
            sandbox.note(record().container(container.config(old.withResources(all))), "update");
            fit.shrink();
        });
    }

    void annotate(String id, Map<String, String> more) {
        sandbox.locked("annotate container " + id, () -> {
            ContainerRecord container = required(id);
            Map<String, String> all = new HashMap<>(container.config().annotations());
            all.putAll(more);
            sandbox.save(record().container(container.config(container.config().withAnnotations(all))), "annotate");
        });
    }

    void shim(String id, HostProcess process) {
        sandbox.locked("set the shim of container " + id, () -> {
            ContainerRecord container = required(id);
            Operation.SHIM.require(what(id), container.state());
            if (!process.isAlive()) {
                throw new NotFoundException("the process that shall stand for container " + id + ", " + process
                        + ", is dead: start it first");
            }
            sandbox.cgroup().join(process);
            sandbox.save(record().container(container.shim(process)), "shim");
        });
    }

    String addDevice(Device device) {
        String id = device.id();
        return sandbox.locked("add device " + id, SandboxLife.PATIENCE, () -> {
            requireRunningSandbox("add device " + id);
            requireFree(id);
            release(id, Deadline.after(UNDO));
            Optional<Held> link = sandbox.step("device.find", () -> cards.held(device));
            SandboxRecord begun = record().begin(Pending.Operation.ADD_DEVICE, id);
            sandbox.save(link.map(begun::holding).orElse(begun).holding(Held.device(id)), "add device");
            try {
                String address = sandbox.step("device.attach", () -> attach(device, link));
                sandbox.save(record().device(id).endAll(id), "add device");
                return address;
            } catch (RuntimeException e) {
                undo(e, Pending.Operation.ADD_DEVICE, id, () -> {});
                throw e;
            }
        });
    }

    private String attach(Device device, Optional<Held> link) {
        Deadline deadline = Deadline.after(SandboxLife.REQUEST);
        if (device instanceof Device.Link plugged) {
            return cards.add(plugged, link.orElseThrow(), deadline);
        } else if (device instanceof Device.UserNetwork user) {
            return cards.add(user, deadline);
        }
        return sandbox.machine().addDevice(device, deadline);
    }

    void removeDevice(String id) {
        sandbox.locked("remove device " + id, () -> {
            if (record().devices().contains(id)) {
                requireRunningSandbox("remove device " + id);
                release(id, Deadline.after(SandboxLife.REQUEST));
                sandbox.note(record().withoutDevice(id), "remove device");
            }
        });
    }
}
