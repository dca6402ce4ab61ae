// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.agent.kata.protocol.CreateContainerRequest;
import io.virtcontainers.spi.ContainerRoot;

/** Builds the request that creates a container: its root file system and its OCI spec. */
final class ContainerRequests {
    private ContainerRequests() {}

    /** The agent waits for the devices of the storages and mounts them, in the order of the list. */
    static CreateContainerRequest create(ContainerConfig container, ContainerRoot root) {
        CreateContainerRequest.Builder request = CreateContainerRequest.newBuilder()
                .setContainerId(container.id())
                .setExecId(container.id()) // the init process goes by the container's id
                .setSandboxPidns(container.sharedPidNamespace())
                .setOCI(OciSpecs.container(container, root.path()));
        root.storages().forEach(storage -> request.addStorages(SandboxMessages.write(storage)));
        return request.build();
    }
}
