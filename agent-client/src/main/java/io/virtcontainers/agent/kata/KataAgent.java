// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.CheckRequest;
import io.virtcontainers.agent.kata.protocol.CreateSandboxRequest;
import io.virtcontainers.agent.kata.protocol.DestroySandboxRequest;
import io.virtcontainers.agent.kata.protocol.HealthGrpc;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/** The agent of one sandbox: each method is one call of {@code grpc.AgentService}. Thread-safe. */
final class KataAgent implements Agent {
    private static final Duration CLOSE_WAIT = Duration.ofSeconds(1);
    private static final int LONGEST_HOSTNAME = 64; // of Linux, sethostname(2)

    private final AgentConnection connection;
    private final ContainerCalls containers;
    private final NetworkCalls network;
    private final Executor callbacks;
    private final Consumer<KataAgent> onClose;

    /** @param callbacks where users' continuations run */
    KataAgent(Transport transport, Executor callbacks, Consumer<KataAgent> onClose) {
        this.connection = new AgentConnection(transport);
        this.containers = new ContainerCalls(connection);
        this.network = new NetworkCalls(connection);
        this.callbacks = callbacks;
        this.onClose = onClose;
    }

    void start() {
        connection.start();
    }

    @Override
    public void awaitReady(Deadline deadline) {
        connection.awaitReady(deadline);
    }

    @Override
    public void check(Deadline deadline) {
        var method = HealthGrpc.getCheckMethod();
        var unused = connection.call(method, CheckRequest.getDefaultInstance(), Rpc.of(method, ""), deadline);
    }

    @Override
    public void createSandbox(String sandboxId, String hostname, Deadline deadline) {
        var request = CreateSandboxRequest.newBuilder()
                .setSandboxId(sandboxId)
                .setHostname(hostname.substring(0, Math.min(hostname.length(), LONGEST_HOSTNAME)))
                .build();
        var method = AgentServiceGrpc.getCreateSandboxMethod();
        var unused = connection.call(method, request, Rpc.of(method, "sandbox " + sandboxId), deadline);
    }

    @Override
    public void destroySandbox(Deadline deadline) {
        var method = AgentServiceGrpc.getDestroySandboxMethod();
        var unused = connection.call(method, DestroySandboxRequest.getDefaultInstance(), Rpc.of(method, ""), deadline);
    }

    @Override
    public void createContainer(ContainerConfig container, String rootfsDevice, Deadline deadline) {
        containers.create(container, rootfsDevice, deadline);
    }

    @Override
    public void startContainer(String containerId, Deadline deadline) {
        containers.start(containerId, deadline);
    }

    @Override
    public void removeContainer(String containerId, Deadline deadline) {
        containers.remove(containerId, deadline);
    }

    @Override
    public void signalContainer(String containerId, Signal signal, Deadline deadline) {
        containers.signal(containerId, signal, deadline);
    }

    @Override
    public void pauseContainer(String containerId, Deadline deadline) {
        containers.pause(containerId, deadline);
    }

    @Override
    public void resumeContainer(String containerId, Deadline deadline) {
        containers.resume(containerId, deadline);
    }

    @Override
    public ContainerStats stats(String containerId, Deadline deadline) {
        return containers.stats(containerId, deadline);
    }

    @Override
    public void updateContainer(String containerId, Resources resources, Deadline deadline) {
        containers.update(containerId, resources, deadline);
    }

    @Override
    public List<Long> pids(String containerId, Deadline deadline) {
        return containers.pids(containerId, deadline);
    }

    @Override
    public String processTable(String containerId, List<String> psArguments, Deadline deadline) {
        return containers.processTable(containerId, psArguments, deadline);
    }

    /** If the deadline passes or the thread is interrupted first, the process may run all the same. */
    @Override
    public GuestProcess exec(String containerId, String execId, ProcessConfig process, Deadline deadline) {
        calls(containerId, execId).exec(process, deadline);
        return process(containerId, execId, process.terminal().isPresent());
    }

    @Override
    public GuestProcess process(String containerId, String processId, boolean terminal) {
        return new KataGuestProcess(calls(containerId, processId), terminal, callbacks);
    }

    @Override
    public Optional<ExitStatus> exitOf(String containerId, String processId, Deadline deadline) {
        return calls(containerId, processId).exitIfEnded(deadline);
    }

    private ProcessCalls calls(String containerId, String processId) {
        return new ProcessCalls(connection, containerId, processId);
    }

    @Override
    public void onOutOfMemory(Consumer<String> listener) {
        new OutOfMemoryWatch(connection, callbacks, listener).ask();
    }

    @Override
    public List<GuestInterface> interfaces(Deadline deadline) {
        return network.interfaces(deadline);
    }

    @Override
    public GuestInterface updateInterface(GuestInterface wanted, Deadline deadline) {
        return network.updateInterface(wanted, deadline);
    }

    @Override
    public List<GuestRoute> routes(Deadline deadline) {
        return network.routes(deadline);
    }

    @Override
    public List<GuestRoute> updateRoutes(List<GuestRoute> routes, Deadline deadline) {
        return network.updateRoutes(routes, deadline);
    }

    @Override
    public void addNeighbors(List<GuestNeighbor> neighbors, Deadline deadline) {
        network.addNeighbors(neighbors, deadline);
    }

    @Override
    public void abort(VirtException reason) {
        connection.fail(reason);
    }

    @Override
    public void close() {
        connection.fail(AgentConnection.closed());
        if (!connection.loop().inEventLoop()) {
            connection.awaitClosed(CLOSE_WAIT);
        }
        onClose.accept(this);
    }
}
