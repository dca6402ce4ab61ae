// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestPath;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.MemorySize;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.CheckRequest;
import io.virtcontainers.agent.kata.protocol.DestroySandboxRequest;
import io.virtcontainers.agent.kata.protocol.HealthGrpc;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.ContainerRoot;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestDetails;
import io.virtcontainers.spi.GuestDevice;
import io.virtcontainers.spi.GuestMount;
import io.virtcontainers.spi.GuestSandbox;
import io.virtcontainers.spi.GuestStorage;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/** The agent of one sandbox: each method is one call of {@code grpc.AgentService}. Thread-safe. */
final class KataAgent implements Agent {
    private static final Duration CLOSE_WAIT = Duration.ofSeconds(1);

    private final AgentConnection connection;
    private final ContainerCalls containers;
    private final NetworkCalls network;
    private final ContainerFiles files;
    private final MachineCalls machine;
    private final Executor callbacks;
    private final Consumer<KataAgent> onClose;

    /**
     * @param callbacks where users' continuations run
     * @param halted see {@link io.virtcontainers.spi.AgentConnector#connect}
     */
    KataAgent(Transport transport, Executor callbacks, BooleanSupplier halted, Consumer<KataAgent> onClose) {
        this.connection = new AgentConnection(transport, KeepAlive.INTERVAL, halted, callbacks);
        this.containers = new ContainerCalls(connection);
        this.network = new NetworkCalls(connection);
        this.files = new ContainerFiles(connection);
        this.machine = new MachineCalls(connection);
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
    public void createSandbox(GuestSandbox sandbox, Deadline deadline) {
        var method = AgentServiceGrpc.getCreateSandboxMethod();
        Rpc rpc = Rpc.of(method, "sandbox " + sandbox.id());
        var unused = connection.call(method, SandboxMessages.write(sandbox), rpc, deadline);
    }

    @Override
    public void renewSandbox(String sandboxId, String hostname, Instant time, List<String> resumed, Deadline deadline) {
        machine.renew(sandboxId, hostname, time, resumed, deadline);
    }

    @Override
    public void destroySandbox(Deadline deadline) {
        var method = AgentServiceGrpc.getDestroySandboxMethod();
        var unused = connection.call(method, DestroySandboxRequest.getDefaultInstance(), Rpc.of(method, ""), deadline);
    }

    @Override
    public void createContainer(
            ContainerConfig container,
            ContainerRoot root,
            List<GuestStorage> storages,
            List<GuestMount> mounts,
            List<GuestDevice> devices,
            Deadline deadline) {
        containers.create(container, root, storages, mounts, devices, deadline);
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
    public GuestInterface updateInterface(GuestInterface wanted, String pciPath, Deadline deadline) {
        return network.updateInterface(wanted, pciPath, deadline);
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
    public GuestDetails details(Deadline deadline) {
        return machine.details(deadline);
    }

    @Override
    public void copyFile(Path source, GuestPath target, Deadline deadline) {
        files.send(source, target, deadline);
    }

    @Override
    public void copyIn(String containerId, Path source, GuestPath target, Deadline deadline) {
        files.copyIn(containerId, source, target, deadline);
    }

    @Override
    public void copyOut(String containerId, GuestPath source, Path target, MemorySize max, Deadline deadline) {
        files.copyOut(containerId, source, target, max, deadline);
    }

    @Override
    public void setTime(Instant time, Deadline deadline) {
        machine.setTime(time, deadline);
    }

    @Override
    public void reseedRandom(Deadline deadline) {
        machine.reseedRandom(deadline);
    }

    @Override
    public void onlineCpus(int count, Deadline deadline) {
        machine.onlineCpus(count, deadline);
    }

    @Override
    public void onlineMemory(Deadline deadline) {
        machine.onlineMemory(deadline);
    }

    @Override
    public void probeMemory(List<Long> addresses, Deadline deadline) {
        machine.probeMemory(addresses, deadline);
    }

    @Override
    public void trace(boolean on, Deadline deadline) {
        machine.trace(on, deadline);
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
