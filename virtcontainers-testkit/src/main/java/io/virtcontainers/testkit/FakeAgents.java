// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.GuestChannel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** Connects to {@link FakeAgent}s, which run {@link FakeProgram}s on threads of this process. Thread-safe. */
public final class FakeAgents implements AgentConnector {
    private final Faults faults = new Faults();
    private final Map<String, FakeProgram> programs = new ConcurrentHashMap<>(FakeProgram.DEFAULTS);
    private final List<FakeAgent> agents = new CopyOnWriteArrayList<>();
    private volatile boolean closed;

    /** The script of all agents. */
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
    public Agent connect(GuestChannel channel) {
        FakeAgent agent = new FakeAgent(faults, programs);
        agents.add(agent);
        return agent;
    }

    @Override
    public void close() {
        closed = true;
    }
}
