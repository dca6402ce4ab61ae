// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.AgentException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.spi.ContainerRoot;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestSandbox;
import io.virtcontainers.spi.GuestStorage;
import java.io.InterruptedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The inside of a fake machine, which all its agents share. It is a monitor: who needs the guest's processors waits on it
 * while they are halted, and for ever when the machine has ended, as for a real guest. Thread-safe.
 */
final class FakeGuest {
    private static final long FIRST_PID = 100;

    private final Predicate<String> hasDisk;
    private final FakeNetwork network = new FakeNetwork();
    private final AtomicLong pids = new AtomicLong(FIRST_PID);
    private final Map<String, FakeContainer> containers = new TreeMap<>();
    private final Map<Object, FakeAgent> connections = new HashMap<>();
    private final FakeSystem system = new FakeSystem();
    private @Nullable GuestSandbox sandbox;
    private boolean halted;
    private boolean ended;

    /** @param hasDisk whether there is a disk at this address */
    FakeGuest(Predicate<String> hasDisk) {
        this.hasDisk = hasDisk;
    }

    /** What a machine with this guest is when it is saved: a guest without processors, for clones to begin from. */
    synchronized FakeGuest saved() {
        return copy(address -> false, /* halt= */ true);
    }

    /** The guest of a clone. */
    synchronized FakeGuest restored(Predicate<String> hasDiskOfClone) {
        return copy(hasDiskOfClone, /* halt= */ false);
    }

    private FakeGuest copy(Predicate<String> hasDiskOfCopy, boolean halt) {
        FakeGuest copy = new FakeGuest(hasDiskOfCopy);
        copy.halt(halt);
        copy.take(sandbox, containers);
        return copy;
    }

    private synchronized void take(@Nullable GuestSandbox from, Map<String, FakeContainer> others) {
        sandbox = from;
        others.forEach((id, container) -> containers.put(id, container.in(this, pids)));
    }

    FakeNetwork network() {
        return network;
    }

    synchronized void halt(boolean halt) {
        halted = halt;
        notifyAll();
    }

    synchronized boolean isHalted() {
        return halted;
    }

    synchronized boolean hasEnded() {
        return ended;
    }

    void end() {
        List<FakeContainer> lost;
        synchronized (this) {
            ended = true;
            lost = List.copyOf(containers.values());
            notifyAll();
        }
        lost.forEach(FakeContainer::vanish);
    }

    synchronized void wake() {
        notifyAll();
    }

    /** What only one connection at a time can have: the channel, or itself if that is shared. */
    private static Object place(FakeAgent agent) {
        return agent.channel().exclusive() ? agent.channel() : agent;
    }

    /** Returns when the guest would answer this agent: the others of an exclusive channel wait for the first. */
    synchronized void awaitAnswer(FakeAgent agent, Deadline deadline, String awaited) {
        while (true) {
            agent.requireConnected();
            if (Thread.currentThread().isInterrupted()) {
                throw new CancelledException("interrupted while waiting for " + awaited);
            }
            if (deadline.isExpired()) {
                throw deadline.exceeded(awaited);
            }
            if (!halted && !ended && connections.computeIfAbsent(place(agent), free -> agent) == agent) {
                return;
            }
            await(deadline, awaited);
        }
    }

    /** Returns when the guest can work, for example let go of a disk, or has ended. */
    synchronized void awaitWork(Deadline deadline, String awaited) {
        while (halted && !ended) {
            await(deadline, awaited);
        }
    }

    @SuppressWarnings("WaitNotInLoop") // its callers loop
    private synchronized void await(Deadline deadline, String awaited) {
        if (deadline.isExpired()) {
            throw deadline.exceeded(awaited);
        }
        try {
            wait(Math.max(1, deadline.remaining().toMillis()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for " + awaited);
        }
    }

    /** Returns when a process may run on. */
    synchronized void awaitProcessor(BooleanSupplier stopped) throws InterruptedIOException {
        while (halted || ended || stopped.getAsBoolean()) {
            if (ended) {
                throw new InterruptedIOException("the machine has ended");
            }
            try {
                wait();
            } catch (InterruptedException e) {
                throw new InterruptedIOException("the process was killed");
            }
        }
    }

    synchronized List<FakeAgent> connections() {
        return List.copyOf(connections.values());
    }

    synchronized void disconnected(FakeAgent agent) {
        connections.remove(place(agent), agent);
        notifyAll();
    }

    synchronized void createSandbox(GuestSandbox created) {
        if (sandbox != null) {
            throw new AlreadyExistsException("the guest is sandbox " + sandbox.id() + " already");
        }
        sandbox = created;
    }

    synchronized void renameSandbox(String id, String hostname) {
        GuestSandbox known = sandbox;
        if (known == null) {
            throw new AgentException("FAILED_PRECONDITION: no sandbox");
        }
        sandbox = new GuestSandbox(
                id,
                hostname,
                known.dns(),
                known.storages(),
                known.sharedPidNamespace(),
                known.hooks(),
                known.modules());
    }

    void destroySandbox() {
        containers().forEach(this::remove);
        synchronized (this) {
            sandbox = null;
        }
    }

    synchronized Optional<GuestSandbox> sandbox() {
        return Optional.ofNullable(sandbox);
    }

    FakeSystem system() {
        return system;
    }

    synchronized List<String> containers() {
        return List.copyOf(containers.keySet());
    }

    synchronized void create(ContainerConfig config, ContainerRoot root, FakeProgram program) {
        if (sandbox == null) {
            throw new AgentException("FAILED_PRECONDITION: no sandbox");
        }
        for (GuestStorage storage : root.storages()) {
            if (storage.driver().equals("blk") && !hasDisk.test(storage.source())) {
                throw new AgentException("there is no disk at " + storage.source());
            }
        }
        if (containers.containsKey(config.id())) {
            throw new AlreadyExistsException("container " + config.id() + " exists");
        }
        containers.put(config.id(), new FakeContainer(this, pids, config, program));
    }

    synchronized FakeContainer container(String id) {
        return Optional.ofNullable(containers.get(id))
                .orElseThrow(() -> new NotFoundException("there is no container " + id));
    }

    void remove(String id) {
        FakeContainer removed;
        synchronized (this) {
            removed = containers.remove(id);
        }
        if (removed != null) {
            removed.remove();
        }
    }
}
