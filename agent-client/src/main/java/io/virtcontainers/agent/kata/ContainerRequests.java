// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.agent.kata.protocol.CreateContainerRequest;
import io.virtcontainers.agent.kata.protocol.Storage;

/** Builds the request that creates a container: its storages and its OCI spec. */
final class ContainerRequests {
    private ContainerRequests() {}

    /**
     * A container on a disk with EROFS: the agent waits for the disk, mounts it, and mounts an overlay over it, in the
     * order of the list.
     *
     * @param rootfsDevice the PCI path of the disk, {@code 02/1e}
     */
    static CreateContainerRequest create(ContainerConfig container, String rootfsDevice) {
        GuestPaths paths = GuestPaths.of(container.id());
        return CreateContainerRequest.newBuilder()
                .setContainerId(container.id())
                .setExecId(container.id()) // the init process goes by the container's id
                .addStorages(Storage.newBuilder()
                        .setDriver("blk")
                        .setSource(rootfsDevice)
                        .setFstype("erofs")
                        .addOptions("ro")
                        .setMountPoint(paths.lower().value()))
                .addStorages(Storage.newBuilder()
                        .setDriver("overlayfs")
                        .setSource("overlay")
                        .setFstype("overlay")
                        .addOptions("lowerdir=" + paths.lower())
                        .addOptions("upperdir=" + paths.upper())
                        .addOptions("workdir=" + paths.work())
                        .setMountPoint(paths.root().value()))
                .setSandboxPidns(container.sharedPidNamespace())
                .setOCI(OciSpecs.container(container, paths.root()))
                .build();
    }
}
