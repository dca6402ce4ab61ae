// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.GuestChannel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Connects to the agents of {@link FakeVirtualMachine}s, also of those that another {@link FakeHypervisor} of this Java
 * process launched; on a channel of no machine nobody answers. Thread-safe.
 */
public final class FakeAgents implements AgentConnector {
    /** Where users' continuations run; has no thread when it has had nothing to do for a while. */
    static final Executor CALLBACKS =
            new ThreadPoolExecutor(0, Integer.MAX_VALUE, 100, TimeUnit.MILLISECONDS, new SynchronousQueue<>(), task -> {
                Thread thread = new Thread(task, "fake-agents-callback");
                thread.setDaemon(true);
                return thread;
            });

    private final Faults faults = new Faults();
    private final Map<String, FakeProgram> programs = new ConcurrentHashMap<>(FakeProgram.DEFAULTS);
    private final List<FakeAgent> agents = new CopyOnWriteArrayList<>();
    private volatile boolean closed;

    /** The script of all agents; also knows {@code signal} and {@code resize} of their processes. */
    public Faults faults() {
        return faults;
    }

    /** Makes a program known to all agents; {@code true, false, echo, cat, exit, sleep} are known from the start. */
    public void program(String name, FakeProgram program) {
        programs.put(name, program);
    }

    /** The agents that were connected to, in order. */
    public List<FakeAgent> agents() {
        return List.copyOf(agents);
    }

    public boolean isClosed() {
        return closed;
    }

    @Override
    public List<String> kernelParameters() {
        return List.of();
    }

    @Override
    public Agent connect(GuestChannel channel, BooleanSupplier halted) {
        FakeAgent agent = new FakeAgent(channel, FakeMachine.guestBehind(channel), faults, programs);
        faults.run("connect", () -> agents.add(agent));
        return agent;
    }

    @Override
    public void close() {
        closed = true;
    }
}
