// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestMemoryConfig;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.MemorySize;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/**
 * A virtual machine that grows while a container runs in it, and shrinks again. QEMU can take a processor out with KVM only:
 * without it, that is the error which this prints.
 */
@Command(name = "Resize", description = "Makes a running virtual machine larger and smaller again.")
public final class Resize implements Callable<Integer> {
    private static final MemorySize SMALL = MemorySize.mib(256);
    private static final MemorySize LARGE = MemorySize.mib(512);

    @Mixin
    private MachineOptions machine = new MachineOptions();

    @Parameters(paramLabel = "ROOTFS", description = "the container's root directory, with busybox")
    private Path rootfs = Path.of("");

    private Resize() {}

    public static void main(String[] args) {
        System.exit(new CommandLine(new Resize())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .execute(args));
    }

    @Override
    public Integer call() throws IOException {
        HypervisorConfig hypervisor = machine.hypervisorBuilder()
                .machine(MachineConfig.builder().maxVcpus(2).build())
                .memory(GuestMemoryConfig.builder().max(LARGE).build())
                .build();
        try (VirtContainers vc = VirtContainers.open();
                Sandbox sandbox =
                        vc.run(machine.applyTo(SandboxConfig.builder("resize").memory(SMALL), hypervisor)
                                .build())) {
            Container container = sandbox.createContainer(ContainerConfig.builder("main")
                    .rootfs(RootFs.directory(rootfs))
                    .command("sleep", "1000000")
                    .build());
            container.start();
            tell(container);
            sandbox.resize(2, LARGE);
            tell(container);
            sandbox.resize(1, SMALL);
            tell(container);
            return 0;
        } catch (VirtException e) {
            System.err.println(e);
            return 1;
        }
    }

    private static void tell(Container container) throws IOException {
        GuestProcess process = container.exec(ProcessConfig.of(
                "sh", "-c", "echo $(nproc) processors, $(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo) MiB"));
        System.out.print(new String(process.stdout().readAllBytes(), UTF_8));
    }
}
