// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.AlreadyExistsException;
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
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.core.state.Pending;
import io.virtcontainers.core.state.SandboxRecord;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The life of the containers and devices of one sandbox: whatever acquires or gives back something in its virtual machine.
 * Each operation follows the order of {@link SandboxImpl}: lock, settled record, state, journal, act, record.
 */
final class ContainerLife {
    private static final Duration UNDO = Duration.ofSeconds(10);
    private static final Duration KILLED = Duration.ofSeconds(10);

    /** How long an operation may wait for the guest to finish what an earlier one could not. */
    private static final Duration SETTLE = Duration.ofSeconds(2);

    private final SandboxImpl sandbox;

    /** What the agent said of processes that this process does not wait for. */
    private final Map<String, ExitStatus> learned = new ConcurrentHashMap<>();

    ContainerLife(SandboxImpl sandbox) {
        this.sandbox = sandbox;
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
                || sandbox.handle(container.id()).hasEnded();
        return ended ? State.STOPPED : container.state();
    }

    private static boolean isShimDead(ContainerRecord container) {
        return container.shim().isPresent() && !container.shim().get().isAlive();
    }

    private Optional<ExitStatus> exitOf(String id) {
        Optional<ExitStatus> seen = sandbox.handle(id).exit();
        return seen.isPresent() ? seen : Optional.ofNullable(learned.get(id));
    }

    /** Asks for the ends that happened while this process was not connected. */
    void learnExits(Agent agent, Deadline deadline) {
        for (ContainerRecord container : record().containers()) {
            String id = container.id();
            boolean known = container.state() == State.STOPPED
                    || container.shim().isPresent()
                    || sandbox.handle(id).isWatched();
            if (!known) {
                agent.exitOf(id, id, deadline).ifPresent(exit -> learned.put(id, exit));
            }
        }
    }

    /** The record with the ends that are known, before the machine's end makes all others unknown. */
    SandboxRecord withExits(SandboxRecord from) {
        SandboxRecord next = from;
        for (ContainerRecord container : from.containers()) {
            Optional<ExitStatus> exit = exitOf(container.id());
            if (container.state() != State.STOPPED && exit.isPresent()) {
                next = next.container(container.stopped(exit));
            }
        }
        return next;
    }

    /** Brings the containers to what the facts demand and ends what was cut off; needs the lock and a live machine. */
    void settle() {
        for (ContainerRecord container : record().containers()) {
            String id = container.id();
            if (container.state() == State.STOPPED) {
                continue;
            }
            if (isShimDead(container)) {
                sandbox.note(
                        record().container(container.stopped(exitOf(id))).begin(Pending.Operation.STOP_CONTAINER, id),
                        "its shim, " + container.shim().get() + ", is dead");
            } else if (exitOf(id).isPresent()) {
                sandbox.note(record().container(container.stopped(exitOf(id))), "its process ended");
            }
        }
        if (record().state() == State.RUNNING) {
            for (Pending pending : record().pending()) {
                if (!pending.container().isEmpty()) {
                    sandbox.quietly(
                            "finish " + pending.operation() + " of " + pending.container(), () -> finish(pending));
                }
            }
        }
    }

    private void finish(Pending pending) {
        String id = pending.container();
        Deadline deadline = Deadline.after(SETTLE);
        Optional<ContainerRecord> container = record().container(id);
        switch (pending.operation()) {
            case CREATE_CONTAINER, ADD_DEVICE -> {
                release(id, deadline);
                sandbox.note(record().end(pending.operation(), id), "was cut off");
            }
            case START_CONTAINER, STOP_CONTAINER -> {
                release(id, deadline);
                SandboxRecord next = record().end(pending.operation(), id);
                sandbox.note(
                        container.isPresent() ? next.container(container.get().stopped(exitOf(id))) : next,
                        "was cut off");
            }
            case DELETE_CONTAINER -> {
                release(id, deadline);
                sandbox.note(record().withoutContainer(id).end(pending.operation(), id), "was cut off");
            }
            case PAUSE_CONTAINER -> {
                sandbox.agent().resumeContainer(id, deadline);
                SandboxRecord next = record().end(pending.operation(), id);
                sandbox.note(
                        container.isPresent() && container.get().state() == State.PAUSED
                                ? next.container(container.get().state(State.RUNNING))
                                : next,
                        "was cut off");
            }
            case START_SANDBOX, STOP_SANDBOX, PAUSE_SANDBOX -> {} // the sandbox's own
        }
    }

    // Acquire and release

    private void acquire(ContainerConfig config, Path disk, Deadline deadline) {
        String address = sandbox.step(
                "disk.attach",
                () -> sandbox.machine().addBlockDevice(config.id(), disk, /* readOnly= */ true, deadline));
        sandbox.step("container.create", () -> {
            sandbox.agent().createContainer(config, address, deadline);
            return null;
        });
        learned.remove(config.id());
        sandbox.handle(config.id()).watch(config, sandbox.agent());
    }

    /** Gives back what a container or device holds in the machine, last first; takes up where an earlier attempt ended. */
    private void release(String id, Deadline deadline) {
        if (record().held().contains(Held.guestContainer(id))) {
            sandbox.step("container.remove", () -> {
                sandbox.agent().removeContainer(id, deadline);
                return null;
            });
            sandbox.note(record().released(Held.guestContainer(id)), "released");
        }
        if (record().held().contains(Held.disk(id))) {
            sandbox.step("disk.detach", () -> {
                sandbox.machine().removeBlockDevice(id, deadline);
                return null;
            });
            sandbox.note(record().released(Held.disk(id)), "released");
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
        Path disk = image(config);
        return sandbox.locked("create container " + id, SandboxImpl.PATIENCE, () -> {
            requireRunningSandbox("create container " + id);
            requireFree(id);
            release(id, Deadline.after(UNDO)); // what an earlier, failed one could not
            sandbox.save(
                    record().begin(Pending.Operation.CREATE_CONTAINER, id)
                            .holding(Held.disk(id))
                            .holding(Held.guestContainer(id)),
                    "create");
            try {
                acquire(config, disk, Deadline.after(SandboxImpl.REQUEST));
                sandbox.save(
                        record().container(ContainerRecord.created(config, Instant.now()))
                                .end(Pending.Operation.CREATE_CONTAINER, id),
                        "create");
            } catch (RuntimeException e) {
                undo(e, Pending.Operation.CREATE_CONTAINER, id, () -> {});
                sandbox.forgetContainer(id);
                throw e;
            }
            return sandbox.handle(id);
        });
    }

    private Path image(ContainerConfig config) {
        return sandbox.step(
                "rootfs.image",
                () -> RootFsImages.of(config.rootfs(), sandbox.backends().images(), sandbox.phases()));
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
        Optional<Path> disk =
                effectiveState(before, known) == State.STOPPED ? Optional.of(image(known.config())) : Optional.empty();
        sandbox.locked("start container " + id, () -> {
            requireRunningSandbox("start container " + id);
            ContainerRecord container = required(id);
            Operation.START.require(what(id), container.state());
            Deadline deadline = Deadline.after(SandboxImpl.REQUEST);
            SandboxRecord begun = record().begin(Pending.Operation.START_CONTAINER, id);
            sandbox.save(begun, "start");
            try {
                if (container.state() == State.STOPPED) {
                    release(id, deadline);
                    sandbox.save(record().holding(Held.disk(id)).holding(Held.guestContainer(id)), "start");
                    acquire(container.config(), disk.orElseGet(() -> image(container.config())), deadline);
                }
                sandbox.step("container.start", () -> {
                    sandbox.agent().startContainer(id, deadline);
                    return null;
                });
                sandbox.save(
                        record().container(container.started(Instant.now())).end(Pending.Operation.START_CONTAINER, id),
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
            release(id, Deadline.after(SandboxImpl.REQUEST));
            sandbox.note(
                    record().container(container.stopped(exitOf(id))).end(Pending.Operation.STOP_CONTAINER, id),
                    "stop");
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
                    release(id, Deadline.after(SandboxImpl.REQUEST));
                }
                sandbox.note(record().withoutContainer(id).end(Pending.Operation.DELETE_CONTAINER, id), "delete");
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
            sandbox.request(phase, () -> {
                freezing.of(sandbox.agent(), id, Deadline.after(SandboxImpl.REQUEST));
                return null;
            });
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
            sandbox.request("container.update", () -> {
                sandbox.agent().updateContainer(id, all, Deadline.after(SandboxImpl.REQUEST));
                return null;
            });
            sandbox.note(record().container(container.config(old.withResources(all))), "update");
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
            sandbox.save(record().container(container.shim(process)), "shim");
        });
    }

    String addDevice(Device.Block device) {
        String id = device.id();
        return sandbox.locked("add device " + id, SandboxImpl.PATIENCE, () -> {
            requireRunningSandbox("add device " + id);
            requireFree(id);
            release(id, Deadline.after(UNDO));
            sandbox.save(record().begin(Pending.Operation.ADD_DEVICE, id).holding(Held.disk(id)), "add device");
            try {
                String address = sandbox.step(
                        "disk.attach",
                        () -> sandbox.machine()
                                .addBlockDevice(
                                        id, device.image(), device.readOnly(), Deadline.after(SandboxImpl.REQUEST)));
                sandbox.save(record().device(id).end(Pending.Operation.ADD_DEVICE, id), "add device");
                return address;
            } catch (RuntimeException e) {
                undo(e, Pending.Operation.ADD_DEVICE, id, () -> {});
                throw e;
            }
        });
    }

    void removeDevice(String id) {
        sandbox.locked("remove device " + id, () -> {
            if (record().devices().contains(id)) {
                requireRunningSandbox("remove device " + id);
                release(id, Deadline.after(SandboxImpl.REQUEST));
                sandbox.note(record().withoutDevice(id), "remove device");
            }
        });
    }
}
