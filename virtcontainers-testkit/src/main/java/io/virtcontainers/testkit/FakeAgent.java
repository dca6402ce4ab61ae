// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.AgentException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;

/** An agent without a guest; its programs are {@link FakeProgram}s. Thread-safe. */
public final class FakeAgent implements Agent {
    private static final int COMMAND_NOT_FOUND = 127;

    private final Faults faults;
    private final Map<String, FakeProgram> programs;
    private final Map<String, FakeContainer> containers = new ConcurrentHashMap<>();
    private final CompletableFuture<Void> aborted = new CompletableFuture<>();
    private volatile boolean sandboxCreated;

    private record FakeContainer(FakeProcess init, List<FakeProcess> processes) {}

    FakeAgent(Faults faults, Map<String, FakeProgram> programs) {
        this.faults = faults;
        this.programs = programs;
    }

    /** The ids of the containers that exist. */
    public List<String> containers() {
        return containers.keySet().stream().sorted().toList();
    }

    /** An answer, unless the agent is aborted first: also while a scripted fault makes it hang. */
    private <T> T call(String operation, Deadline deadline, Supplier<T> answer) {
        CompletableFuture<T> result = new CompletableFuture<>();
        var unused = aborted.whenComplete((nothing, reason) -> {
            if (reason != null) {
                result.completeExceptionally(reason);
            }
        });
        Thread worker = new Thread(
                () -> {
                    try {
                        faults.reached(operation, deadline);
                        result.complete(answer.get());
                    } catch (RuntimeException e) {
                        result.completeExceptionally(e);
                    }
                },
                "fake-agent-" + operation);
        worker.setDaemon(true);
        worker.start();
        try {
            return deadline.await(result, "the agent's answer to " + operation);
        } finally {
            worker.interrupt();
        }
    }

    private void run(String operation, Deadline deadline, Runnable work) {
        boolean unused = call(operation, deadline, () -> {
            work.run();
            return true;
        });
    }

    @Override
    public void awaitReady(Deadline deadline) {
        run("awaitReady", deadline, () -> {});
    }

    @Override
    public String version(Deadline deadline) {
        return call("version", deadline, () -> "fake");
    }

    @Override
    public void createSandbox(String sandboxId, String hostname, Deadline deadline) {
        run("createSandbox", deadline, () -> sandboxCreated = true);
    }

    @Override
    public void destroySandbox(Deadline deadline) {
        run("destroySandbox", deadline, () -> List.copyOf(containers.keySet()).forEach(this::remove));
    }

    @Override
    public void createContainer(ContainerConfig container, String rootfsDevice, Deadline deadline) {
        run("createContainer", deadline, () -> {
            if (!sandboxCreated) {
                throw new AgentException("FAILED_PRECONDITION: no sandbox");
            }
            FakeProcess init = process(container.id(), container.process());
            if (containers.putIfAbsent(
                            container.id(), new FakeContainer(init, new CopyOnWriteArrayList<>(List.of(init))))
                    != null) {
                throw new AlreadyExistsException("container " + container.id() + " exists");
            }
        });
    }

    private FakeProcess process(String id, ProcessConfig config) {
        String program = config.command().get(0);
        return new FakeProcess(
                id,
                config,
                Optional.ofNullable(programs.get(program))
                        .orElseThrow(() ->
                                new CommandNotFoundException("there is no program " + program, COMMAND_NOT_FOUND)));
    }

    @Override
    public void startContainer(String containerId, Deadline deadline) {
        run("startContainer", deadline, () -> container(containerId).init().start());
    }

    @Override
    public void removeContainer(String containerId, Deadline deadline) {
        run("removeContainer", deadline, () -> remove(containerId));
    }

    private void remove(String containerId) {
        FakeContainer removed = containers.remove(containerId);
        if (removed != null) {
            removed.processes().forEach(process -> process.signal(Signal.KILL));
        }
    }

    @Override
    public void signalContainer(String containerId, Signal signal, Deadline deadline) {
        run(
                "signalContainer",
                deadline,
                () -> container(containerId).processes().forEach(p -> p.signal(signal)));
    }

    @Override
    public GuestProcess exec(String containerId, String execId, ProcessConfig config, Deadline deadline) {
        return call("exec", deadline, () -> {
            FakeProcess process = process(execId, config);
            container(containerId).processes().add(process);
            process.start();
            return process;
        });
    }

    @Override
    public GuestProcess initProcess(ContainerConfig container) {
        return container(container.id()).init();
    }

    private FakeContainer container(String id) {
        return Optional.ofNullable(containers.get(id))
                .orElseThrow(() -> new NotFoundException("there is no container " + id));
    }

    @Override
    public void abort(VirtException reason) {
        aborted.completeExceptionally(reason);
        containers.values().forEach(container -> container.processes().forEach(process -> process.abort(reason)));
    }

    @Override
    public void close() {
        abort(new AgentException("the connection to the agent was closed"));
    }
}
