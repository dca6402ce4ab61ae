// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.EventLoop;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.CreateSandboxRequest;
import io.virtcontainers.agent.kata.protocol.DestroySandboxRequest;
import io.virtcontainers.agent.kata.protocol.ExecProcessRequest;
import io.virtcontainers.agent.kata.protocol.RemoveContainerRequest;
import io.virtcontainers.agent.kata.protocol.SignalProcessRequest;
import io.virtcontainers.agent.kata.protocol.StartContainerRequest;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The agent of one sandbox: each method is one call of {@code grpc.AgentService}. Thread-safe. */
final class KataAgent implements Agent {
    private static final Logger log = LoggerFactory.getLogger(KataAgent.class);

    private static final Duration CLOSE_WAIT = Duration.ofSeconds(1);
    private static final int LONGEST_HOSTNAME = 64; // of Linux, sethostname(2)

    private final AgentConnection connection;
    private final Executor callbacks;
    private final Consumer<KataAgent> onClose;

    /** @param callbacks where users' continuations run */
    KataAgent(Path socket, EventLoop loop, Executor callbacks, Consumer<KataAgent> onClose) {
        this.connection = new AgentConnection(socket, loop);
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
    public String version(Deadline deadline) {
        return connection.version(deadline);
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
        var method = AgentServiceGrpc.getCreateContainerMethod();
        var request = ContainerRequests.create(container, rootfsDevice);
        Rpc rpc = Rpc.of(method, Rpc.container(container.id())).starting(container.process());
        var unused = connection.call(method, request, rpc, deadline);
    }

    @Override
    public void startContainer(String containerId, Deadline deadline) {
        var method = AgentServiceGrpc.getStartContainerMethod();
        var request =
                StartContainerRequest.newBuilder().setContainerId(containerId).build();
        var unused = connection.call(method, request, Rpc.of(method, Rpc.container(containerId)), deadline);
    }

    @Override
    public void removeContainer(String containerId, Deadline deadline) {
        var method = AgentServiceGrpc.getRemoveContainerMethod();
        var request =
                RemoveContainerRequest.newBuilder().setContainerId(containerId).build();
        try {
            var unused = connection.call(method, request, Rpc.of(method, Rpc.container(containerId)), deadline);
        } catch (NotFoundException e) {
            log.debug("container to remove is unknown to the agent container={}", containerId);
        }
    }

    @Override
    public void signalContainer(String containerId, Signal signal, Deadline deadline) {
        var method = AgentServiceGrpc.getSignalProcessMethod();
        var request = SignalProcessRequest.newBuilder()
                .setContainerId(containerId)
                .setSignal(signal.number())
                .build();
        Rpc rpc = Rpc.of(method, signal + " to " + Rpc.container(containerId));
        var unused = connection.call(method, request, rpc, deadline);
    }

    /** If the deadline passes or the thread is interrupted first, the process may run all the same. */
    @Override
    public GuestProcess exec(String containerId, String execId, ProcessConfig process, Deadline deadline) {
        var method = AgentServiceGrpc.getExecProcessMethod();
        var request = ExecProcessRequest.newBuilder()
                .setContainerId(containerId)
                .setExecId(execId)
                .setProcess(OciSpecs.process(process))
                .build();
        Rpc rpc = Rpc.of(method, Rpc.process(containerId, execId)).starting(process);
        var unused = connection.call(method, request, rpc, deadline);
        return process(containerId, execId, process);
    }

    @Override
    public GuestProcess initProcess(ContainerConfig container) {
        return process(container.id(), container.id(), container.process());
    }

    private GuestProcess process(String containerId, String execId, ProcessConfig config) {
        return new KataGuestProcess(
                new ProcessCalls(connection, containerId, execId),
                config.terminal().isPresent(),
                callbacks);
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
