// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import io.virtcontainers.testkit.BusyboxRootFs;
import io.virtcontainers.testkit.HypervisorTck;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** QEMU. */
@Tag("vm")
class HypervisorTckVmTest extends HypervisorTck {
    @TempDir
    static Path directory;

    private static Path disk;

    @BeforeAll
    static void pack() throws IOException {
        Path cached = RealBackends.rootfsImage(BusyboxRootFs.create(directory.resolve("busybox")));
        disk = Files.copy(cached, directory.resolve("disk")); // some tests open it for writing
    }

    @Override
    protected Hypervisor hypervisor() {
        return RealBackends.hypervisor();
    }

    @Override
    protected VmConfig config(Path vmDirectory, boolean detached) {
        return RealBackends.machine(vmDirectory, detached);
    }

    /** QEMU itself starts, and then finds that the kernel is none. */
    @Override
    protected VmConfig failingConfig(Path vmDirectory) {
        VmConfig good = RealBackends.machine(vmDirectory, false);
        return new VmConfig(
                good.sandboxId(),
                vmDirectory,
                good.vcpus(),
                good.memory(),
                false,
                good.settings(),
                new io.virtcontainers.spi.GuestImage(
                        Path.of("/dev/null"), good.image().initrd().orElseThrow(), "none"),
                good.kernelParameters());
    }

    @Override
    protected void awaitGuest(VirtualMachine machine) {
        try (AgentConnector agents = RealBackends.agents();
                Agent agent = agents.connect(machine.channels().get(0))) {
            agent.awaitReady(Deadline.after(Duration.ofSeconds(60)));
        }
    }

    @Override
    protected Path diskImage() {
        return disk;
    }
}
