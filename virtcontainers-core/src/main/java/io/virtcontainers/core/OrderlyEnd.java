// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.Mount;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.SharedFs;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.SandboxRecord;

/**
 * Whether the guest must end its containers before its machine is ended. Its agent kills them, unmounts and writes back what
 * is in memory, which takes longer than all else of a stop; it is lost work where nothing that the guest has written to
 * outlives the machine.
 */
final class OrderlyEnd {
    private OrderlyEnd() {}

    static boolean isNeeded(SandboxRecord record) {
        NetworkConfig network = record.config().network();
        // The ends of the connections over QEMU's user network are QEMU's; others learn it from the guest only.
        boolean hasPeers = !(network instanceof NetworkConfig.None) && !(network instanceof NetworkConfig.User);
        return hasPeers
                || record.config().hypervisor().sharedFs().type() != SharedFs.NONE
                || !record.devices().isEmpty()
                || record.containers().stream().map(ContainerRecord::config).anyMatch(OrderlyEnd::writesToTheHost);
    }

    private static boolean writesToTheHost(ContainerConfig container) {
        boolean disk = container.rootfs() instanceof RootFs.Disk && !container.readOnlyRootfs();
        boolean live = container.rootfs() instanceof RootFs.Shared;
        return disk || live || !container.mounts().stream().allMatch(OrderlyEnd::endsWithTheMachine);
    }

    /** The copies of host files, and what is in the guest's memory. */
    private static boolean endsWithTheMachine(Mount mount) {
        return mount instanceof Mount.Bind
                || mount instanceof Mount.Volume
                || mount instanceof Mount.Tmpfs
                || (mount instanceof Mount.Persistent persistent && persistent.readOnly());
    }
}
