// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.Device;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.GuestRoot;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MemorySize;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.AgentProvider;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImageProvider;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.HypervisorProvider;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Stream;

/** A machine with one container, used through the backends without the engine, so that only the channel is measured. */
final class BenchMachine implements AutoCloseable {
    private static final String CONTAINER = "bench";
    private static final MemorySize MEMORY = MemorySize.mib(512);
    private static final Phases NO_PHASES = name -> () -> {};

    private final Path directory;
    private final Hypervisor hypervisor;
    private final AgentConnector agents;
    private final VirtualMachine machine;
    private final Agent agent;
    private int execs;

    /** @param rootfs a directory with a busybox, the root of the container */
    BenchMachine(Path rootfs, Path cache) throws IOException {
        directory = Files.createTempDirectory("vcb"); // short: it holds sockets
        GuestImages images = only(GuestImageProvider.class).open(cache);
        hypervisor = only(HypervisorProvider.class).open(cache);
        agents = only(AgentProvider.class).open();
        VmConfig config = new VmConfig(
                CONTAINER,
                directory,
                1,
                MEMORY,
                /* detached= */ false,
                HypervisorConfig.defaults(),
                images.guestImage(Optional.empty(), GuestRoot.builtIn(), NO_PHASES, soon()),
                agents.kernelParameters());
        machine = hypervisor.launch(config, NO_PHASES, soon());
        agent = agents.connect(machine.channels().get(0));
        agent.awaitReady(soon());
        agent.createSandbox(CONTAINER, CONTAINER, soon());
        String disk = machine.addDevice(
                new Device.Block("root", images.rootfsImage(rootfs, NO_PHASES, soon()), true), soon());
        ContainerConfig container = ContainerConfig.builder(CONTAINER)
                .rootfs(RootFs.directory(rootfs))
                .command("sleep", "1000000")
                .build();
        agent.createContainer(container, disk, soon());
        agent.startContainer(CONTAINER, soon());
    }

    private static <T> T only(Class<T> type) {
        return ServiceLoader.load(type).findFirst().orElseThrow();
    }

    static Deadline soon() {
        return Deadline.after(Duration.ofMinutes(5));
    }

    GuestProcess exec(String... command) {
        return agent.exec(CONTAINER, "exec-" + execs++, ProcessConfig.of(command), soon());
    }

    /** The smallest call of the agent. */
    void check() {
        agent.check(soon());
    }

    /** The smallest question to QEMU: {@code query-status}. */
    void queryHypervisor() {
        machine.isPaused(soon());
    }

    /** Processor time of QEMU so far: that of the guest, and of the devices. */
    Duration cpu() {
        return ProcessHandle.of(machine.process().pid())
                .flatMap(handle -> handle.info().totalCpuDuration())
                .orElseThrow();
    }

    @Override
    public void close() throws IOException {
        agent.close();
        machine.stop(soon());
        agents.close();
        hypervisor.close();
        try (Stream<Path> files = Files.walk(directory).sorted(Comparator.reverseOrder())) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
    }
}
