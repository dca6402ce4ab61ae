// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The arguments of QEMU for a sandbox, section by section: by default a q35 machine without any default device, booted by
 * qboot straight into an uncompressed kernel. It is an argument list, never a shell line. Measured against SeaBIOS and a
 * bzImage, this boots in about half the CPU time.
 */
final class QemuCommandLine {
    /** The bus for disks that are plugged in while the machine runs. */
    static final String BRIDGE = "pci-bridge-0";

    /** Where {@link #BRIDGE} sits on bus 0. */
    static final int BRIDGE_SLOT = 0x02;

    private QemuCommandLine() {}

    static List<String> of(QemuInstallation qemu, boolean kvm, VmConfig config, AgentDevices agent) {
        SandboxFiles files = new SandboxFiles(config.directory());
        List<String> line = new ArrayList<>();
        line.add(qemu.binary().toString());
        line.addAll(List.of("-name", "sandbox-" + escape(config.sandboxId())));
        if (config.settings().user().isEmpty()) {
            // What an operator reads, and by which reap() knows the process of this directory. QEMU wants to know the
            // whole path, which another user cannot find out.
            line.addAll(List.of("-pidfile", files.pidFile().toString()));
        }
        // Only the devices that are named here, no configuration of the host: less to attack, less to boot.
        line.addAll(List.of("-nodefaults", "-no-user-config", "-display", "none"));
        // A guest that resets has failed or is done: never boot it a second time.
        line.add("-no-reboot");
        // QEMU itself gives up starting programs and gaining rights, whatever a guest makes it do.
        line.addAll(List.of("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"));
        line.addAll(MachineArguments.of(kvm, config));
        line.addAll(ProcessorArguments.of(kvm, config));
        line.addAll(ProcessorArguments.count(config));
        line.addAll(MemoryArguments.of(config));
        line.addAll(BootArguments.of(qemu, kvm, config, agent));
        line.addAll(ControlArguments.of(config));
        line.addAll(MachineArguments.buses(config));
        line.addAll(agent.arguments(config));
        MachineModel.of(config.settings().machine().type())
                .panicDevice()
                .ifPresent(device -> line.addAll(List.of("-device", device)));
        line.addAll(ExtraDevices.of(config));
        line.addAll(NetworkArguments.of(config));
        line.addAll(PluggedDevices.arguments(config));
        if (config.memoryImage() instanceof MemoryImage.Clone || config.memoryImage() instanceof MemoryImage.Copy) {
            line.addAll(List.of("-incoming", "defer"));
        }
        line.addAll(ShareArguments.of(config, files));
        return List.copyOf(line);
    }

    /** A slot as QEMU's {@code addr} property takes it: hex without a prefix. */
    static String slot(int number) {
        return String.format("%02x", number);
    }

    /** A path in QEMU's option syntax. */
    static String escape(Path path) {
        return escape(path.toString());
    }

    /** In a value of QEMU's option syntax a comma is written twice. */
    static String escape(String value) {
        return value.replace(",", ",,");
    }
}
