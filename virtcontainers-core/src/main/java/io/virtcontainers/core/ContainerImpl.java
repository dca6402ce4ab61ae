// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.IllegalTransitionException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Signal;
import io.virtcontainers.State;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One container. Its state follows from facts: whether it was started, whether its init process has ended, and the
 * sandbox's own state.
 */
final class ContainerImpl implements Container {
    private static final Duration REQUEST = Duration.ofSeconds(60);

    private final SandboxImpl sandbox;
    private final ContainerConfig config;
    private final GuestProcess init;
    private final AtomicLong execs = new AtomicLong();
    private volatile boolean started;

    ContainerImpl(SandboxImpl sandbox, ContainerConfig config, GuestProcess init) {
        this.sandbox = sandbox;
        this.config = config;
        this.init = init;
    }

    @Override
    public String id() {
        return config.id();
    }

    @Override
    public ContainerConfig config() {
        return config;
    }

    @Override
    public GuestProcess process() {
        return init;
    }

    @Override
    public State state() {
        if (sandbox.state() == State.STOPPED || !init.isAlive()) {
            return State.STOPPED;
        }
        return started ? State.RUNNING : State.READY;
    }

    @Override
    public void start() {
        synchronized (execs) {
            require(State.READY, "start", "a stopped container is deleted and created again");
            sandbox.step("container.start", () -> {
                sandbox.agent().startContainer(id(), Deadline.after(REQUEST));
                return null;
            });
            started = true;
        }
    }

    @Override
    public GuestProcess exec(ProcessConfig process) {
        require(State.RUNNING, "exec " + process.command(), "start it first, or create another one");
        String execId = "exec-" + execs.incrementAndGet();
        return sandbox.request(
                "process.exec", () -> sandbox.agent().exec(id(), execId, process, Deadline.after(REQUEST)));
    }

    private void require(State needed, String operation, String remedy) {
        State now = state();
        if (now != needed) {
            throw new IllegalTransitionException("container " + id(), now, operation, remedy)
                    .withDiagnostics(sandbox.diagnostics());
        }
    }

    @Override
    public void kill(Signal signal) {
        if (state() == State.STOPPED) {
            return;
        }
        sandbox.request("container.kill", () -> {
            sandbox.agent().signalContainer(id(), signal, Deadline.after(REQUEST));
            return null;
        });
    }

    @Override
    public void delete() {
        sandbox.removeContainer(this);
    }
}
