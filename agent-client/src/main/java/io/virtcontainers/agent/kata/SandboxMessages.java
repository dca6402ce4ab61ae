// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.MemorySize;
import io.virtcontainers.agent.kata.protocol.AgentDetails;
import io.virtcontainers.agent.kata.protocol.CreateSandboxRequest;
import io.virtcontainers.agent.kata.protocol.Device;
import io.virtcontainers.agent.kata.protocol.GuestDetailsResponse;
import io.virtcontainers.agent.kata.protocol.KernelModule;
import io.virtcontainers.agent.kata.protocol.Mount;
import io.virtcontainers.agent.kata.protocol.Storage;
import io.virtcontainers.spi.GuestDetails;
import io.virtcontainers.spi.GuestDevice;
import io.virtcontainers.spi.GuestMount;
import io.virtcontainers.spi.GuestSandbox;
import io.virtcontainers.spi.GuestStorage;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Writes and reads the messages about a guest as a whole. Pure functions. */
final class SandboxMessages {
    private static final int LONGEST_HOSTNAME = 64; // of Linux, sethostname(2)
    private static final int LONGEST_NAME = 255;
    private static final int MOST_DRIVERS = 1000;

    private SandboxMessages() {}

    static String shortened(String hostname) {
        return hostname.substring(0, Math.min(hostname.length(), LONGEST_HOSTNAME));
    }

    static CreateSandboxRequest write(GuestSandbox sandbox) {
        CreateSandboxRequest.Builder message = CreateSandboxRequest.newBuilder()
                .setSandboxId(sandbox.id())
                .setHostname(shortened(sandbox.hostname()))
                .addAllDns(sandbox.dns())
                .setSandboxPidns(sandbox.sharedPidNamespace());
        sandbox.storages().forEach(storage -> message.addStorages(write(storage)));
        sandbox.hooks().ifPresent(directory -> message.setGuestHookPath(directory.value()));
        sandbox.modules()
                .forEach(module -> message.addKernelModules(
                        KernelModule.newBuilder().setName(module.name()).addAllParameters(module.parameters())));
        return message.build();
    }

    static Storage write(GuestStorage storage) {
        return Storage.newBuilder()
                .setDriver(storage.driver())
                .setSource(storage.source())
                .setFstype(storage.fileSystem())
                .addAllOptions(storage.options())
                .setMountPoint(storage.mountPoint().value())
                .build();
    }

    static Mount write(GuestMount mount) {
        return Mount.newBuilder()
                .setDestination(mount.destination().value())
                .setType(mount.type())
                .setSource(mount.source())
                .addAllOptions(mount.options())
                .build();
    }

    static Device write(GuestDevice device) {
        return Device.newBuilder()
                .setType(device.driver())
                .setId(device.id())
                .setVmPath(device.guestNode())
                .setContainerPath(device.containerPath().value())
                .build();
    }

    /** @throws io.virtcontainers.AgentException if the guest sends what there cannot be */
    static GuestDetails read(GuestDetailsResponse answer) {
        AgentDetails agent = answer.getAgentDetails();
        long block = GuestData.count(answer.getMemBlockSizeBytes());
        return new GuestDetails(
                GuestData.text(LONGEST_NAME, agent.getVersion(), "version"),
                block == 0 ? Optional.empty() : Optional.of(MemorySize.ofBytes(block)),
                answer.getSupportMemHotplugProbe(),
                names(agent.getDeviceHandlersList()),
                names(agent.getStorageHandlersList()),
                agent.getSupportsSeccomp());
    }

    private static Set<String> names(List<String> drivers) {
        Set<String> names = new TreeSet<>();
        GuestData.atMost(MOST_DRIVERS, drivers, "drivers")
                .forEach(name -> names.add(GuestData.text(LONGEST_NAME, name, "name of a driver")));
        return names;
    }
}
