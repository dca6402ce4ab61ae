// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.CancelledException;
import io.virtcontainers.HostProcess;
import io.virtcontainers.SandboxBusyException;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.SandboxLocks;
import io.virtcontainers.core.state.SandboxPlace;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.VirtualMachine;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * This process's connection to one virtual machine, from its launch or from attaching to it until its end or
 * {@link #release}: the machine, and the agent inside over a channel of its own, or one that is shared. A machine that is
 * started again is another session. Thread-safe.
 */
final class GuestSession {
    private static final Duration HALTED_ANSWER = Duration.ofSeconds(2);

    private final SandboxPlace place;
    private final VirtualMachine machine;
    private final MachineEnd end;
    private final Consumer<String> onOutOfMemory;
    private final ReentrantLock readiness = new ReentrantLock();
    private boolean ready;
    private volatile @Nullable Agent agent;
    private SandboxLocks.@Nullable Lock channel;
    private @Nullable VirtException ended;

    /**
     * @param end where the machine's end is told
     * @param onOutOfMemory learns which containers the guest's kernel killed a process in
     */
    GuestSession(SandboxPlace place, VirtualMachine machine, MachineEnd end, Consumer<String> onOutOfMemory) {
        this.place = place;
        this.machine = machine;
        this.end = end;
        this.onOutOfMemory = onOutOfMemory;
    }

    VirtualMachine machine() {
        return machine;
    }

    MachineEnd end() {
        return end;
    }

    boolean isOf(Optional<HostProcess> process) {
        return process.isPresent() && machine.process().equals(process.get());
    }

    /**
     * Begins to connect to the agent over a channel that is shared, or one that is free, unless that has been done. Returns
     * at once.
     */
    synchronized Agent connect(AgentConnector agents) {
        Agent known = agent;
        if (known != null) {
            return known;
        }
        if (ended != null) {
            throw ended;
        }
        List<GuestChannel> channels = machine.channels();
        for (int i = 0; i < channels.size(); i++) {
            if (!channels.get(i).exclusive()) {
                return connect(agents, channels.get(i));
            }
            Optional<SandboxLocks.Lock> free = place.tryChannel(i);
            if (free.isPresent()) {
                channel = free.get();
                return connect(agents, channels.get(i));
            }
        }
        throw new SandboxBusyException(
                "all " + channels.size() + " channels to the guest of sandbox " + place.id()
                        + " are in use: close it in another process",
                OptionalLong.empty());
    }

    private synchronized Agent connect(AgentConnector agents, GuestChannel chosen) {
        Agent connecting = agents.connect(chosen, () -> machine.isPaused(Deadline.after(HALTED_ANSWER)));
        agent = connecting;
        return connecting;
    }

    /** As {@link #connect}, and waits until it answers. */
    Agent ready(AgentConnector agents, Deadline deadline) {
        Agent connecting = connect(agents);
        try {
            if (!readiness.tryLock(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw deadline.exceeded("the agent's first answer, for which another thread waits too,");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for the agent's first answer");
        }
        try {
            if (!ready) {
                connecting.awaitReady(deadline);
                connecting.onOutOfMemory(onOutOfMemory);
                ready = true;
            }
        } finally {
            readiness.unlock();
        }
        return connecting;
    }

    /** Fails all that waits for the guest, now and later, without dropping the machine. */
    void abort(VirtException reason) {
        synchronized (this) {
            if (ended == null) {
                ended = reason;
            }
        }
        Agent connected = agent;
        if (connected != null) {
            connected.abort(reason);
        }
    }

    /** Lets go of agent, channel and machine, whether it has ended or runs on. */
    void release(VirtException reason) {
        abort(reason);
        Agent connected = agent;
        if (connected != null) {
            connected.close();
        }
        machine.release();
        synchronized (this) {
            if (channel != null) {
                channel.close();
                channel = null;
            }
        }
    }
}
