// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.MemorySize;
import java.util.Optional;
import java.util.Set;

/**
 * What an agent and its kernel can do (GetGuestDetails).
 *
 * @param agentVersion the agent's own version
 * @param memoryBlock memory is plugged in in multiples of this; empty if the kernel takes none
 * @param memoryProbe whether the kernel wants to be told the addresses of plugged memory, {@link Agent#probeMemory}
 * @param deviceDrivers the drivers of {@link GuestDevice} that the agent knows
 * @param storageDrivers the drivers of {@link GuestStorage} that the agent knows
 * @param seccomp whether system calls of containers can be filtered
 */
public record GuestDetails(
        String agentVersion,
        Optional<MemorySize> memoryBlock,
        boolean memoryProbe,
        Set<String> deviceDrivers,
        Set<String> storageDrivers,
        boolean seccomp) {
    public GuestDetails {
        deviceDrivers = Set.copyOf(deviceDrivers);
        storageDrivers = Set.copyOf(storageDrivers);
    }
}
