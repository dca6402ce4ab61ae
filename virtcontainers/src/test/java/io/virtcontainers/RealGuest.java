// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import io.virtcontainers.testkit.BusyboxRootFs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** A real machine with all its channels and one container, used without the engine; for tests of the channels. */
final class RealGuest implements AutoCloseable {
    static final String CONTAINER = "c";

    final AgentConnector agents = RealBackends.agents();
    private final Path directory;
    private final Hypervisor hypervisor = RealBackends.hypervisor();
    private final VirtualMachine machine;

    /** @param scratch where the root file system is made */
    RealGuest(Path scratch) throws IOException {
        directory = Files.createTempDirectory("vct"); // short: it holds sockets
        Path rootfs = BusyboxRootFs.create(scratch.resolve("busybox"));
        machine = hypervisor.launch(
                new VmConfig(
                        "streams",
                        directory,
                        1,
                        MemorySize.mib(512),
                        /* detached= */ true,
                        HypervisorConfig.defaults(),
                        RealBackends.guestImage(),
                        List.of()),
                RealBackends.NO_PHASES,
                soon());
        Agent agent = connect(0);
        agent.createSandbox("streams", "streams", soon());
        String disk = machine.addBlockDevice("root", RealBackends.rootfsImage(rootfs), true, soon());
        ContainerConfig container = ContainerConfig.builder(CONTAINER)
                .rootfs(RootFs.directory(rootfs))
                .command("sleep", "1000000")
                .build();
        agent.createContainer(container, disk, soon());
        agent.startContainer(CONTAINER, soon());
        agent.close();
    }

    static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(60));
    }

    int channels() {
        return machine.channels().size();
    }

    Agent connect(int channel) {
        Agent agent = agents.connect(machine.channels().get(channel));
        agent.awaitReady(soon());
        return agent;
    }

    /** The socket of a channel, for somebody who stands between. */
    Path socket(int channel) {
        return ((GuestChannel.VirtioSerial) machine.channels().get(channel)).socket();
    }

    /** Connects to a socket that leads to one of the channels, without waiting. */
    Agent connect(Path socket) {
        return agents.connect(new GuestChannel.VirtioSerial(socket, /* yamux= */ false));
    }

    Path directory() {
        return directory;
    }

    @Override
    public void close() throws IOException {
        agents.close();
        machine.stop(soon());
        hypervisor.close();
        try (Stream<Path> files = Files.walk(directory).sorted(Comparator.reverseOrder())) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
    }
}
