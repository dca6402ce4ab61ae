// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.google.protobuf.ByteString;
import io.grpc.MethodDescriptor;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.Resources;
import io.virtcontainers.Signal;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.ListProcessesRequest;
import io.virtcontainers.agent.kata.protocol.PauseContainerRequest;
import io.virtcontainers.agent.kata.protocol.RemoveContainerRequest;
import io.virtcontainers.agent.kata.protocol.ResumeContainerRequest;
import io.virtcontainers.agent.kata.protocol.SignalProcessRequest;
import io.virtcontainers.agent.kata.protocol.StartContainerRequest;
import io.virtcontainers.agent.kata.protocol.StatsContainerRequest;
import io.virtcontainers.agent.kata.protocol.UpdateContainerRequest;
import io.virtcontainers.spi.ContainerRoot;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestDevice;
import io.virtcontainers.spi.GuestMount;
import io.virtcontainers.spi.GuestStorage;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The calls about whole containers. Thread-safe. */
record ContainerCalls(AgentConnection connection) {
    private static final Logger log = LoggerFactory.getLogger(ContainerCalls.class);

    void create(
            ContainerConfig container,
            ContainerRoot root,
            List<GuestStorage> storages,
            List<GuestMount> mounts,
            List<GuestDevice> devices,
            Deadline deadline) {
        var method = AgentServiceGrpc.getCreateContainerMethod();
        var request = ContainerRequests.create(container, root).toBuilder();
        storages.forEach(storage -> request.addStorages(SandboxMessages.write(storage)));
        mounts.forEach(mount -> request.getOCIBuilder().addMounts(SandboxMessages.write(mount)));
        devices.forEach(device -> request.addDevices(SandboxMessages.write(device)));
        Rpc rpc = rpc(method, container.id()).starting(container.process());
        var unused = connection.call(method, request.build(), rpc, deadline);
    }

    void start(String id, Deadline deadline) {
        var method = AgentServiceGrpc.getStartContainerMethod();
        var request = StartContainerRequest.newBuilder().setContainerId(id).build();
        var unused = connection.call(method, request, rpc(method, id), deadline);
    }

    void remove(String id, Deadline deadline) {
        var method = AgentServiceGrpc.getRemoveContainerMethod();
        var request = RemoveContainerRequest.newBuilder().setContainerId(id).build();
        try {
            var unused = connection.call(method, request, rpc(method, id), deadline);
        } catch (NotFoundException e) {
            log.debug("container to remove is unknown to the agent container={}", id);
        }
    }

    void signal(String id, Signal signal, Deadline deadline) {
        var method = AgentServiceGrpc.getSignalProcessMethod();
        var request = SignalProcessRequest.newBuilder()
                .setContainerId(id)
                .setSignal(signal.number())
                .build();
        Rpc rpc = Rpc.of(method, signal + " to " + Rpc.container(id));
        var unused = connection.call(method, request, rpc, deadline);
    }

    void pause(String id, Deadline deadline) {
        var method = AgentServiceGrpc.getPauseContainerMethod();
        var request = PauseContainerRequest.newBuilder().setContainerId(id).build();
        var unused = connection.call(method, request, rpc(method, id), deadline);
    }

    void resume(String id, Deadline deadline) {
        var method = AgentServiceGrpc.getResumeContainerMethod();
        var request = ResumeContainerRequest.newBuilder().setContainerId(id).build();
        var unused = connection.call(method, request, rpc(method, id), deadline);
    }

    ContainerStats stats(String id, Deadline deadline) {
        var method = AgentServiceGrpc.getStatsContainerMethod();
        var request = StatsContainerRequest.newBuilder().setContainerId(id).build();
        return StatsMessages.read(connection.call(method, request, rpc(method, id), deadline));
    }

    void update(String id, Resources resources, Deadline deadline) {
        var method = AgentServiceGrpc.getUpdateContainerMethod();
        var request = UpdateContainerRequest.newBuilder()
                .setContainerId(id)
                .setResources(ResourceMessages.update(resources))
                .build();
        var unused = connection.call(method, request, rpc(method, id), deadline);
    }

    List<Long> pids(String id, Deadline deadline) {
        return ProcessLists.pids(processes(id, "json", List.of(), deadline));
    }

    String processTable(String id, List<String> psArguments, Deadline deadline) {
        return ProcessLists.table(processes(id, "table", psArguments, deadline));
    }

    private ByteString processes(String id, String format, List<String> arguments, Deadline deadline) {
        var method = AgentServiceGrpc.getListProcessesMethod();
        var request = ListProcessesRequest.newBuilder()
                .setContainerId(id)
                .setFormat(format)
                .addAllArgs(arguments)
                .build();
        return connection.call(method, request, rpc(method, id), deadline).getProcessList();
    }

    private static Rpc rpc(MethodDescriptor<?, ?> method, String containerId) {
        return Rpc.of(method, Rpc.container(containerId));
    }
}
