// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.AgentConnectionLostException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxBusyException;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxEvent;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.SnapshotConfig;
import io.virtcontainers.State;
import io.virtcontainers.VirtException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.core.state.Pending;
import io.virtcontainers.core.state.SandboxLocks;
import io.virtcontainers.core.state.SandboxPlace;
import io.virtcontainers.core.state.SandboxRecord;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.MachineSize;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmEvent;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The life of one sandbox, as this process sees it: its lock, its record, its machine.
 *
 * <p>The truth is in three places: the facts of the host (which process lives), the guest, and the {@link SandboxRecord} on
 * disk, which says what the sandbox is and journals what it holds. Every operation that changes something takes the lock
 * of the sandbox, across threads and processes ({@link #locked}), reads the record, and first <em>settles</em> it: brings
 * it to what the facts demand, and finishes or undoes what a crash has cut off. Only then the operation looks at the state.
 * Before it acquires anything, the journal entry for it is on disk; when it fails, the entries are undone. So there is no
 * state that only memory knows and no second path for cleaning up.
 *
 * <p>What only asks the guest (exec, signals, statistics, streams) takes no lock: it looks at a snapshot of the record and
 * at the facts, and the guest refuses what has become impossible meanwhile.
 *
 * <p>Of a scoped sandbox this process is the only writer; its record is then kept in memory and on disk. A detached one is
 * read again by each operation.
 *
 * <p>The end of the machine is an event: it fails all that waits for the guest at once, and settles the record in the
 * background. Given up: waiting for a lock is not fair between processes.
 */
final class SandboxLife {
    private static final Logger log = LoggerFactory.getLogger(SandboxLife.class);

    static final Duration PATIENCE = Duration.ofMinutes(1);
    static final Duration STATUS_PATIENCE = Duration.ofSeconds(5);
    static final Duration REQUEST = Duration.ofSeconds(60);
    private static final Duration ATTACH = Duration.ofSeconds(30);

    /** What an earlier operation has left undone in the guest may take an operation this long. */
    private static final Duration GUEST_WORK = Duration.ofSeconds(2);

    /** What the operations of other threads get to end before a stop cuts them off. */
    private static final Duration GRACE = Duration.ofSeconds(2);

    private static final Duration AGENT_SHUTDOWN = Duration.ofSeconds(2);
    private static final Duration VM_STOP = Duration.ofSeconds(10);

    /** How long a status may wait for the word of the guest. */
    private static final Duration GUEST_ANSWER = Duration.ofSeconds(1);

    /** How long a failed request waits to learn whether the machine has died: the kernel reports it within that time. */
    private static final Duration DEATH_NEWS = Duration.ofMillis(500);

    private final SandboxPlace place;
    private final Engine engine;
    private final Backends backends;
    private final PhaseRecorder phases;
    private final SandboxEvents events;
    private final SandboxBoot boot;
    private final SandboxCgroup cgroup = new SandboxCgroup(this);
    private final ContainerLife containerLife = new ContainerLife(this);
    private final Map<String, ContainerImpl> containers = new HashMap<>();
    private final SandboxLocks.@Nullable Lock ownership;
    private final SandboxLedger ledger;
    private volatile @Nullable GuestSession session;
    private volatile MachineEnd end = new MachineEnd();
    private volatile @Nullable GuestImage image;
    private final AtomicBoolean settling = new AtomicBoolean();
    private volatile boolean booting;
    private volatile boolean stopping;
    private volatile boolean closed;
    private int depth; // guarded by the sandbox's lock

    /** @param ownership the owner's lock of a scoped sandbox; null for a detached one */
    SandboxLife(
            SandboxPlace place,
            Engine engine,
            Backends backends,
            PhaseRecorder phases,
            SandboxLocks.@Nullable Lock ownership,
            @Nullable GuestImage image,
            SandboxRecord record) {
        this.place = place;
        this.engine = engine;
        this.backends = backends;
        this.phases = phases;
        this.events = new SandboxEvents();
        this.boot = new SandboxBoot(this, engine, place);
        this.ownership = ownership;
        this.image = image;
        this.ledger = new SandboxLedger(place, ownership != null, events, this::forgetContainer, record);
        record.stopReason().ifPresent(end::tell);
    }

    String id() {
        return place.id();
    }

    Diagnostics diagnostics() {
        GuestSession connected = session;
        return connected == null ? Diagnostics.none() : connected.machine().diagnostics();
    }

    CompletableFuture<String> onExit() {
        connectQuietly();
        return end.future();
    }

    /** Events come only over a connection; a machine that cannot be connected to has none to tell. */
    void connectQuietly() {
        try {
            if (!closed && snapshot().isUp()) {
                GuestSession unused = session();
            }
        } catch (VirtException e) {
            log.debug("cannot connect for events: sandbox={}", id(), e);
        }
    }

    SandboxStatus hostStatus() {
        return underLock(
                "tell its status",
                STATUS_PATIENCE,
                () -> settled(Duration.ZERO, () -> Statuses.of(record(), /* guestAnswers= */ false)));
    }

    SandboxStatus status() {
        return underLock(
                "tell its status",
                STATUS_PATIENCE,
                () -> settled(Duration.ZERO, () -> {
                    boolean answers = askGuest();
                    return Statuses.of(record(), answers);
                }));
    }

    /**
     * Whether the guest's agent answers now; what it says of ended containers is in the record then, and what it had left
     * undone is done.
     */
    private boolean askGuest() {
        if (record().state() != State.RUNNING) {
            return false;
        }
        try {
            Deadline deadline = Deadline.after(GUEST_ANSWER);
            Agent agent = agent(deadline);
            agent.check(deadline);
            containerLife.learnExits(agent, deadline);
        } catch (CancelledException e) {
            throw e;
        } catch (VirtException e) {
            log.debug("the guest does not answer: sandbox={}", id(), e);
            settleFacts(); // its machine may have died of it
            quietly("learn whether the machine is halted", this::followPause);
            return false;
        }
        settleFacts();
        settleGuest(GUEST_WORK);
        return true;
    }

    // Lock and record

    /** Runs an operation that changes something, when no other of any thread or process runs, on a settled record(). */
    <T extends @Nullable Object> T locked(String operation, Duration patience, Supplier<T> work) {
        return underLock(operation, patience, () -> settled(GUEST_WORK, work));
    }

    private <T extends @Nullable Object> T underLock(String operation, Duration patience, Supplier<T> work) {
        try (SandboxLocks.Lock lock = place.lock(operation, Deadline.after(patience))) {
            requireOpen();
            return work.get();
        }
    }

    /**
     * The outermost operation of the thread that holds the lock settles; those that it consists of do not again.
     *
     * @param guestWork how long it may take what an earlier operation has left undone in the guest
     */
    private <T extends @Nullable Object> T settled(Duration guestWork, Supplier<T> work) {
        depth++;
        try {
            if (depth == 1) {
                reload();
                settleFacts();
                settleGuest(guestWork);
            }
            return work.get();
        } finally {
            depth--;
        }
    }

    void locked(String operation, Runnable work) {
        locked(operation, PATIENCE, () -> {
            work.run();
            return null;
        });
    }

    private void requireOpen() {
        if (closed) {
            throw ownership == null && !isGone()
                    ? new VirtException("sandbox " + id() + " was closed here: fetch it again")
                    : ledger.gone();
        }
    }

    private void reload() {
        try {
            ledger.reload();
        } catch (NotFoundException e) {
            forget();
            throw e;
        }
        if (ownership == null) {
            dropForeignSession();
        }
    }

    /** Another process may have ended the machine that we are connected to, and started another one. */
    private void dropForeignSession() {
        GuestSession connected = session;
        if (connected != null && !(record().isUp() && connected.isOf(record().vmm()))) {
            session = null;
            String reason = record().stopReason().orElse("started again by another process");
            connected.release(died(reason));
            tellEnd(connected.end(), reason);
        }
    }

    /** The record now, without the lock: whole, perhaps about to change. */
    SandboxRecord snapshot() {
        return closed ? ledger.record() : ledger.snapshot();
    }

    /** Whether a detached sandbox was deleted by another process. */
    boolean isGone() {
        return ledger.isGone();
    }

    SandboxRecord record() {
        return ledger.record();
    }

    /** Writes the record(); if that fails, nothing has changed. */
    void save(SandboxRecord next, String reason) {
        ledger.save(next, reason);
    }

    /** Takes over facts, which a full disk cannot undo. */
    void note(SandboxRecord next, String reason) {
        ledger.note(next, reason);
    }

    /** Brings the record to what the facts demand, without a question to the guest. Needs the lock. */
    private void settleFacts() {
        SandboxRecord now = record();
        if (now.isUp() && isMachineDead(now)) {
            machineGone(deathReason());
        } else if (!now.isUp() && !now.held().isEmpty()) {
            quietly("give back what a cut-off start or stop held", () -> endMachine("its start or stop was cut off"));
        } else if (now.isUp() && now.isPending(Pending.Operation.STOP_SANDBOX, "")) {
            quietly("finish a stop that was cut off", () -> endMachine("stopped"));
        }
        if (record().isUp()) {
            containerLife.settleFacts();
        }
    }

    /** Finishes or undoes in the machine what was cut off, as far as it gets in this time. Needs the lock. */
    private void settleGuest(Duration patience) {
        if (!record().isUp() || record().pending().isEmpty() || patience.isZero()) {
            return;
        }
        Deadline deadline = Deadline.after(patience);
        if (record().isPending(Pending.Operation.PAUSE_SANDBOX, "")) {
            quietly("learn whether the machine is paused", () -> {
                State truth = machine().isPaused(deadline) ? State.PAUSED : State.RUNNING;
                note(record().state(truth).end(Pending.Operation.PAUSE_SANDBOX), "its pause or resume was cut off");
            });
        }
        if (record().state() == State.RUNNING) {
            containerLife.finishPending(deadline);
        }
    }

    void quietly(String what, Runnable work) {
        try {
            work.run();
        } catch (VirtException e) {
            log.info("cannot {} now, the next operation tries again: sandbox={} error={}", what, id(), e.getMessage());
        }
    }

    /** Whether its machine runs, by the record and the facts, without the lock. */
    boolean isMachineUp() {
        SandboxRecord now = snapshot();
        return now.state() == State.RUNNING && !isMachineDead(now);
    }

    /** By the facts, not by the record(). */
    boolean isMachineDead(SandboxRecord now) {
        GuestSession connected = session;
        return now.vmm().isEmpty()
                || !now.vmm().get().isAlive()
                || (connected != null
                        && connected.isOf(now.vmm())
                        && connected.machine().onExit().isDone());
    }

    private String deathReason() {
        GuestSession connected = session;
        if (connected != null
                && connected.machine().process().equals(record().vmm().orElse(null))) {
            try {
                return connected.machine().onExit().get(DEATH_NEWS.toMillis(), TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (ExecutionException | TimeoutException unknown) {
                // The process is gone; why is not known.
            }
        }
        return "its hypervisor (" + record().vmm().map(HostProcess::toString).orElse("unknown") + ") is gone";
    }

    // Start

    void start() {
        requireOpen();
        start(
                "start",
                guestImage(),
                Optional.empty()); // an image may be made first, which takes long: without the lock
    }

    /** Starts it where another sandbox was saved. */
    void restore(SavedSandbox saved) {
        start("restore", saved.image(), Optional.of(saved));
    }

    private void start(String operation, GuestImage booted, Optional<SavedSandbox> saved) {
        locked(operation, () -> {
            Operation.START.require("sandbox " + id(), record().state());
            save(record().begin(Pending.Operation.START_SANDBOX).holding(Held.VM), operation);
            stopping = false;
            booting = true;
            if (end.isTold()) {
                end = new MachineEnd();
            }
            try {
                Deadline deadline = Deadline.after(record().config().bootDeadline());
                boot.boot(booted, saved, deadline);
                SandboxRecord up = record().running(machine().process()).end(Pending.Operation.START_SANDBOX);
                save(saved.map(from -> from.restoredIn(up)).orElse(up), operation);
                requireAlive();
                if (saved.isPresent()) {
                    containerLife.watchAll(agent(deadline));
                }
            } catch (RuntimeException e) {
                undo(e, () -> endMachine("it did not start: " + e.getMessage()));
                throw e;
            } finally {
                booting = false;
            }
            log.debug(
                    "sandbox started: sandbox={} hypervisor={}", id(), machine().process());
        });
    }

    private GuestImage guestImage() {
        GuestImage known = image;
        if (known == null) {
            known = engine.guestImage(snapshot().config(), phases);
            image = known;
        }
        return known;
    }

    private void requireAlive() {
        CompletableFuture<String> ended = machine().onExit();
        if (ended.isDone()) {
            throw died(ended.join());
        }
    }

    // The connection to the machine

    /** The connection to the machine that the record names; made if there is none. */
    private GuestSession session() {
        GuestSession connected = session;
        SandboxRecord now = snapshot();
        if (connected != null && (!now.isUp() || connected.isOf(now.vmm()))) {
            return connected;
        }
        return underLock("attach", PATIENCE, () -> settled(Duration.ZERO, this::attach));
    }

    private GuestSession attach() {
        GuestSession connected = session;
        if (connected != null) {
            return connected; // made by another thread meanwhile; one of another machine was dropped with the lock
        }
        HostProcess process = record().vmm()
                .orElseThrow(() -> new VmDiedException("the virtual machine of sandbox " + id() + " is gone"));
        VirtualMachine machine = backends.hypervisor()
                .attach(id(), place.vmDirectory(), record().config().hypervisor(), process, Deadline.after(ATTACH));
        if (end.isTold()) {
            end = new MachineEnd();
        }
        stopping = false;
        GuestSession attached = adopt(machine);
        watchEnd(attached);
        return attached;
    }

    /** Makes this the sandbox's machine, whose events are the sandbox's. Needs the lock. */
    GuestSession adopt(VirtualMachine machine) {
        GuestSession made = new GuestSession(
                place, machine, end, container -> events.publish(new SandboxEvent.OutOfMemory(id(), container)));
        adopt(made);
        machine.onEvent(event -> machineTold(made, event));
        return made;
    }

    void watchEnd(GuestSession of) {
        var unused = of.machine().onExit().thenAccept(reason -> machineEnded(of, reason));
    }

    /** Another thread may stop the sandbox when there is nothing yet that it could abort. */
    void requireNotStopping() {
        if (stopping) {
            throw died("stopped");
        }
    }

    /** Unless this object was closed meanwhile, by a thread without the lock. */
    private synchronized void adopt(GuestSession made) {
        if (closed) {
            VirtException wasClosed = new VirtException("sandbox " + id() + " was closed here meanwhile");
            made.release(wasClosed);
            throw wasClosed;
        }
        session = made;
    }

    VirtualMachine machine() {
        return session().machine();
    }

    /** The agent, ready for calls. */
    Agent agent(Deadline deadline) {
        return session().ready(backends.agents(), deadline.atMost(ATTACH));
    }

    Agent agent() {
        return agent(Deadline.after(ATTACH));
    }

    /** The event: the machine has ended, asked to or not. */
    private void machineEnded(GuestSession of, String reason) {
        of.abort(died(reason));
        if (session == of && !stopping) {
            log.info("virtual machine ended: sandbox={} reason={}", id(), reason);
            settleLater();
        }
        tellEnd(of.end(), reason);
    }

    /** On a thread of the hypervisor's. */
    private void machineTold(GuestSession of, VmEvent event) {
        if (event instanceof VmEvent.GuestPanicked) {
            events.publish(new SandboxEvent.GuestPanicked(id()));
        } else if (event instanceof VmEvent.DiskError error) {
            log.warn("a disk failed: sandbox={} event={}", id(), error);
            events.publish(new SandboxEvent.DiskError(id(), error.device(), error.write(), error.reason()));
        } else if (session == of && !snapshot().isPending(Pending.Operation.PAUSE_SANDBOX, "")) {
            inBackground("follow the machine", this::followPause);
        }
    }

    /** Somebody else may have halted the machine, or let it go on: the record says how it is. Needs the lock. */
    private void followPause() {
        SandboxRecord now = record();
        if (!now.isUp() || isMachineDead(now)) {
            return;
        }
        State truth = machine().isPaused(Deadline.after(GUEST_ANSWER)) ? State.PAUSED : State.RUNNING;
        if (truth != now.state()) {
            note(now.state(truth), truth == State.PAUSED ? "halted by somebody else" : "resumed by somebody else");
        }
    }

    private void tellEnd(MachineEnd of, String reason) {
        if (of.tell(reason)) {
            events.publish(new SandboxEvent.VmEnded(id(), reason));
        }
    }

    /** After an event, whose thread must not wait for the lock; at most one is under way. */
    void settleLater() {
        if (closed || stopping || settling.getAndSet(true)) {
            return;
        }
        inBackground("settle after an event", () -> {});
    }

    /** Runs something under the lock, on a settled record. */
    private void inBackground(String what, Runnable work) {
        try {
            engine.background().execute(() -> {
                settling.set(false);
                if (!closed && !stopping) {
                    quietly(
                            what,
                            () -> locked("settle", STATUS_PATIENCE, () -> {
                                work.run();
                                return null;
                            }));
                }
            });
        } catch (RejectedExecutionException e) {
            log.debug("not done, as the engine is closed: sandbox={} what={}", id(), what);
        }
    }

    VirtException died(String reason) {
        return stopping
                ? new VmDiedException("sandbox " + id() + " was stopped")
                : new VmDiedException("the virtual machine of sandbox " + id() + " ended: " + reason)
                        .withDiagnostics(diagnostics());
    }

    // Stop and delete

    void stop() {
        ending("stop", () -> {
            if (record().state() != State.STOPPED) {
                end();
            }
        });
    }

    private void end() {
        if (!record().held().isEmpty()) {
            note(record().begin(Pending.Operation.STOP_SANDBOX), "stop");
        }
        GuestSession connected = session;
        if (record().state() == State.RUNNING && OrderlyEnd.isNeeded(record())) {
            shutDownAgent();
        } else if (connected != null) {
            connected.abort(died("stopped"));
        }
        endMachine("stopped");
    }

    private void shutDownAgent() {
        try (Phases.Phase phase = phases.begin("sandbox.destroy")) {
            Deadline deadline = Deadline.after(AGENT_SHUTDOWN);
            agent(deadline).destroySandbox(deadline);
        } catch (VirtException e) {
            log.debug("the agent did not shut down; the machine is ended all the same: sandbox={}", id(), e);
        }
    }

    /**
     * Runs a last operation. An interrupt does not prevent it: it is held back until the end. Other threads get a moment to
     * end theirs; then what they wait for in the guest is cut off, a boot at once.
     */
    private void ending(String operation, Runnable work) {
        Interrupts.heldBack(() -> {
            try (SandboxLocks.Lock lock = lastLock(operation)) {
                if (closed) {
                    return;
                }
                if (isGone()) {
                    forget();
                    return;
                }
                Interrupts.heldBack(() -> settled(
                        Duration.ZERO,
                        () -> { // there may have been one during the wait
                            stopping = true;
                            work.run();
                            return null;
                        }));
            }
        });
    }

    private SandboxLocks.Lock lastLock(String operation) {
        try {
            return uninterruptibly(operation, booting ? Duration.ZERO : GRACE);
        } catch (SandboxBusyException e) {
            if (e.holder().orElse(0) == ProcessHandle.current().pid()) {
                cutOff();
            }
        }
        try {
            return uninterruptibly(operation, PATIENCE.plus(record().config().bootDeadline()));
        } catch (SandboxBusyException e) {
            GuestSession connected = session;
            if (ownership != null && connected != null) {
                connected.machine().stop(Deadline.after(VM_STOP)); // whoever holds the lock, the machine ends
            } else {
                stopping = false;
            }
            throw e;
        }
    }

    private void cutOff() {
        stopping = true;
        GuestSession connected = session;
        if (connected != null) {
            connected.abort(died("stopped"));
        }
    }

    private SandboxLocks.Lock uninterruptibly(String operation, Duration patience) {
        Deadline deadline = Deadline.after(patience);
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return place.lock(operation, deadline);
                } catch (CancelledException e) {
                    interrupted |= Thread.interrupted();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Ends the machine for sure, or throws; then nothing is held any more. */
    private void endMachine(String reason) {
        stopping = true;
        try (Phases.Phase phase = phases.begin("hypervisor.stop")) {
            Optional<GuestSession> ending = sessionForTheEnd();
            if (ending.isPresent()) {
                ending.get().machine().stop(Deadline.after(VM_STOP));
            } else if (record().held().contains(Held.VM)) {
                backends.hypervisor().reap(place.vmDirectory(), Deadline.after(VM_STOP));
            }
        }
        machineGone(reason);
    }

    private Optional<GuestSession> sessionForTheEnd() {
        GuestSession connected = session; // never one of another machine, see dropForeignSession
        if (connected != null || !record().isUp()) {
            return Optional.ofNullable(connected);
        }
        try {
            return Optional.of(attach());
        } catch (VirtException e) {
            log.debug("cannot attach to the machine, it is ended by its process: sandbox={}", id(), e);
            return Optional.empty();
        }
    }

    /** The machine is dead, beyond doubt: gives back what is left of it. */
    private void machineGone(String reason) {
        GuestSession connected = session;
        if (connected != null) {
            session = null;
            connected.release(died(reason));
        }
        quietly("remove the machine's files", () -> {
            if (connected == null) {
                backends.hypervisor().reap(place.vmDirectory(), Deadline.after(VM_STOP));
            }
            place.removeVmDirectory();
        });
        note(containerLife.withExits(record()).stopped(reason), reason);
        tellEnd(end, reason);
        releaseHost();
    }

    /** Gives back what the host still holds for the machine that is gone; what fails stays in the journal, for the next try. */
    private void releaseHost() {
        for (Held entry : HostHoldings.of(record())) {
            quietly("give back " + entry, () -> {
                HostHoldings.giveBack(entry);
                note(record().released(entry), "released");
            });
        }
    }

    /** Whoever deletes the sandbox deletes its journal. */
    private void requireNothingHeld() {
        if (!record().held().isEmpty()) {
            throw new HostSetupException("cannot delete sandbox " + id() + ": the host still holds " + record().held()
                    + " for it, the log says why; delete it again");
        }
    }

    void delete() {
        ending("delete", () -> {
            if (!record().held().isEmpty() || record().isUp()) {
                end();
            }
            requireNothingHeld();
            place.remove();
            events.publish(new SandboxEvent.Deleted(id()));
            forget();
        });
    }

    /** This object is of no more use: lets go of all that it holds in this process. */
    synchronized void forget() {
        if (closed) {
            return;
        }
        closed = true;
        GuestSession connected = session;
        if (connected != null) {
            connected.release(new VmDiedException("sandbox " + id() + " was deleted or closed"));
            session = null;
        }
        if (ownership != null) {
            boolean unused = end.tell("deleted");
        }
        events.close();
        if (ownership != null) {
            ownership.close();
        }
        engine.forget(this);
    }

    void close() {
        if (ownership != null) {
            delete();
            return;
        }
        Interrupts.heldBack(this::forget); // an operation of another thread fails then
    }

    // Snapshot

    /** @param self what the hook before it is given */
    SavedSandbox snapshot(Sandbox self, SnapshotConfig config) {
        requireOpen();
        SnapshotMaking making = new SnapshotMaking(this, guestImage());
        locked("snapshot", () -> {
            Operation.USE.require("sandbox " + id(), record().state(), "snapshot");
            var unused = step("snapshot.plan", () -> making.plan(Deadline.after(REQUEST)));
        });
        SavedSandbox.run("beforeSnapshot", config.beforeSnapshot(), self);
        return locked("snapshot", PATIENCE, () -> {
            Operation.USE.require("sandbox " + id(), record().state(), "snapshot");
            return step("snapshot.make", () -> making.save(engine.snapshots(), config));
        });
    }

    // Pause, devices, annotations

    void pause() {
        locked("pause", () -> {
            Operation.PAUSE.require("sandbox " + id(), record().state());
            save(record().begin(Pending.Operation.PAUSE_SANDBOX), "pause");
            request("hypervisor.pause", () -> {
                machine().pause(Deadline.after(REQUEST));
                return null;
            });
            note(record().state(State.PAUSED).end(Pending.Operation.PAUSE_SANDBOX), "pause");
        });
    }

    void resume() {
        locked("resume", () -> {
            Operation.RESUME.require("sandbox " + id(), record().state());
            save(record().begin(Pending.Operation.PAUSE_SANDBOX), "resume");
            request("hypervisor.resume", () -> {
                machine().resume(Deadline.after(REQUEST));
                return null;
            });
            note(record().state(State.RUNNING).end(Pending.Operation.PAUSE_SANDBOX), "resume");
        });
    }

    void resize(int vcpus, MemorySize memory) {
        locked("resize", () -> {
            Operation.USE.require("sandbox " + id(), record().state(), "resize");
            resizeMachine(vcpus, memory);
        });
    }

    /** Needs the lock. */
    void resizeMachine(int vcpus, MemorySize memory) {
        resizeMachine(vcpus, memory, Deadline.after(REQUEST));
    }

    void resizeMachine(int vcpus, MemorySize memory, Deadline deadline) {
        request("hypervisor.resize", () -> {
            MachineSize before = machine().size(deadline);
            MachineSize now = machine().resize(vcpus, memory, deadline);
            if (now.vcpus() > before.vcpus()) {
                cgroup.join();
                agent(deadline).onlineCpus(now.vcpus() - before.vcpus(), deadline);
            }
            if (now.memory().compareTo(before.memory()) > 0) {
                agent(deadline).onlineMemory(deadline);
            }
            return null;
        });
    }

    MachineSize machineSize() {
        return request("hypervisor.size", () -> machine().size(Deadline.after(REQUEST)));
    }

    void annotate(Map<String, String> more) {
        locked("annotate", () -> {
            SandboxConfig old = record().config();
            Map<String, String> all = new HashMap<>(old.annotations());
            all.putAll(more);
            save(record().config(old.withAnnotations(all)), "annotate");
        });
    }

    // Containers

    NotFoundException noContainer(SandboxRecord now, String containerId) {
        return new NotFoundException("sandbox " + id() + " has no container " + containerId + "; it has: "
                + now.containers().stream().map(ContainerRecord::id).toList());
    }

    /** One object per container, as it keeps the streams of its init process. */
    ContainerImpl handle(String containerId) {
        synchronized (containers) {
            return containers.computeIfAbsent(containerId, c -> new ContainerImpl(this, c));
        }
    }

    void forgetContainer(String containerId) {
        synchronized (containers) {
            containers.remove(containerId);
        }
    }

    ContainerLife containerLife() {
        return containerLife;
    }

    SandboxCgroup cgroup() {
        return cgroup;
    }

    Backends backends() {
        return backends;
    }

    SandboxEvents publisher() {
        return events;
    }

    PhaseRecorder phases() {
        return phases;
    }

    // Questions to the guest

    /** Throws unless the guest can be used, by a snapshot and the facts. */
    SandboxRecord requireUsable(String operation) {
        if (closed) {
            requireOpen();
        }
        SandboxRecord now = snapshot();
        State state = now.isUp() && isMachineDead(now) ? State.STOPPED : now.state();
        try {
            Operation.USE.require("sandbox " + id(), state, operation);
        } catch (VirtException e) {
            throw e.withDiagnostics(diagnostics());
        }
        return now;
    }

    <T> T ask(String phase, Function<Deadline, T> question) {
        return request(phase, () -> question.apply(Deadline.after(REQUEST)));
    }

    // Phases and errors

    /** Undoes after a failure, which a failure of the undoing joins; not prevented by an interrupt. */
    void undo(RuntimeException failure, Runnable work) {
        try {
            Interrupts.heldBack(work);
        } catch (RuntimeException e) {
            Engine.suppress(failure, e);
        }
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
        GuestSession connected = session;
        if (connected == null) {
            return e.withDiagnostics(Diagnostics.none().inPhase(phase));
        }
        VirtualMachine machine = connected.machine();
        if (e instanceof AgentConnectionLostException
                || (e instanceof HypervisorException && !(e instanceof VmDiedException))) {
            try {
                VirtException death = died(machine.onExit().get(DEATH_NEWS.toMillis(), TimeUnit.MILLISECONDS));
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
