// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.VmConfig;
import io.virtcontainers.testkit.BusyboxRootFs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A real machine with all its channels and one container, used without the engine; for tests of the channels. */
final class RealGuest implements AutoCloseable {
    static final String CONTAINER = "c";

    private final RealAgentSession session;

    /** @param scratch where the root file system is made */
    RealGuest(Path scratch) throws IOException {
        Path rootfs = BusyboxRootFs.create(scratch.resolve("busybox"));
        VmConfig config = new VmConfig(
                "streams",
                Files.createTempDirectory("vct"), // short: it holds sockets
                1,
                MemorySize.mib(512),
                /* detached= */ true,
                HypervisorConfig.defaults(),
                RealBackends.guestImage(),
                List.of());
        session = new RealAgentSession(config, RealBackends.rootfsImage(rootfs));
        Agent agent = connect(0);
        agent.createSandbox("streams", "streams", soon());
        String disk = session.plugRootfs("root");
        ContainerConfig container = ContainerConfig.builder(CONTAINER)
                .rootfs(RootFs.directory(rootfs))
                .command("sleep", "1000000")
                .build();
        agent.createContainer(container, disk, soon());
        agent.startContainer(CONTAINER, soon());
        agent.close();
    }

    static Deadline soon() {
        return RealAgentSession.soon();
    }

    int channels() {
        return session.machine.channels().size();
    }

    Agent connect(int channel) {
        Agent agent = session.connect(channel);
        agent.awaitReady(soon());
        return agent;
    }

    /** The socket of a channel, for somebody who stands between. */
    Path socket(int channel) {
        return ((GuestChannel.VirtioSerial) session.machine.channels().get(channel)).socket();
    }

    /** Connects to a socket that leads to one of the channels, without waiting. */
    Agent connect(Path socket) {
        return session.agents.connect(new GuestChannel.VirtioSerial(socket, /* yamux= */ false));
    }

    Path directory() {
        return session.vmDirectory;
    }

    @Override
    public void close() {
        session.close();
    }
}
