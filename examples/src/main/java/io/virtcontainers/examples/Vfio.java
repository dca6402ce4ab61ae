// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.Device;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/**
 * Gives a PCI device of the host to a virtual machine, runs a program in a container that sees all devices of that machine,
 * and takes it back. The device must be bound to the host's driver {@code vfio-pci}, and the host must have an IOMMU.
 */
@Command(name = "Vfio", description = "Runs a program beside a PCI device of the host.")
public final class Vfio implements Callable<Integer> {
    private static final Duration PATIENCE = Duration.ofMinutes(5);

    /** The devices of the guest, whatever they are. */
    private static final String ALL_DEVICES = """
            {"ociVersion": "1.0.2",
             "linux": {"resources": {"devices": [{"allow": true, "access": "rwm"}]},
                       "namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "ipc"}]},
             "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                        {"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind", "rw"]},
                        {"destination": "/sys", "type": "sysfs", "source": "sysfs"}]}
            """;

    @Mixin
    private MachineOptions machine = new MachineOptions();

    @Parameters(index = "0", paramLabel = "ADDRESS", description = "for example 0000:01:00.0")
    private String address = "";

    @Parameters(index = "1", paramLabel = "ROOTFS", description = "the container's root directory")
    private Path rootfs = Path.of("");

    @Parameters(index = "2..*", arity = "1..*", paramLabel = "COMMAND", description = "the program and its arguments")
    private List<String> command = List.of();

    private Vfio() {}

    public static void main(String[] args) {
        System.exit(new CommandLine(new Vfio())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setStopAtPositional(true)
                .execute(args));
    }

    @Override
    public Integer call() throws IOException {
        try (VirtContainers vc = VirtContainers.open();
                Sandbox sandbox =
                        vc.run(machine.applyTo(SandboxConfig.builder("vfio")).build())) {
            System.out.println("address in the guest: " + sandbox.addDevice(new Device.Vfio("passed", address)));
            Container container = sandbox.createContainer(ContainerConfig.builder("main")
                    .rootfs(RootFs.directory(rootfs))
                    .command(command.toArray(String[]::new))
                    .spec(ALL_DEVICES)
                    .build());
            container.start();
            container.process().stdout().transferTo(System.out);
            ExitStatus exit = container.process().waitFor(PATIENCE);
            sandbox.removeDevice("passed");
            return exit.code();
        } catch (VirtException e) {
            System.err.println(e);
            return 1;
        }
    }
}
