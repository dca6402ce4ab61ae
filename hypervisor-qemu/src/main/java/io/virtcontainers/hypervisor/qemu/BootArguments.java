// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.spi.RootDisk;
import io.virtcontainers.spi.VmConfig;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What the machine boots, and by which firmware, on QEMU's command line. */
final class BootArguments {
    /** The limit of Linux on x86, which cuts off what is longer without a word. */
    private static final int MAX_KERNEL_COMMAND_LINE = 2047;

    private static final List<String> KERNEL_PARAMETERS = List.of(
            // Each character costs an exit of the virtual machine; errors and panics are still printed.
            "quiet",
            // The self-tests of the kernel's ciphers: a fifth of the boot.
            "cryptomgr.notests",
            // Patching the kernel between one and several processors: a tenth of the boot.
            "noreplace-smp",
            // QEMU gives zeroed memory; zeroing it again at each allocation is a tenth of the boot.
            "init_on_alloc=0",
            // Without SeaBIOS the timer check can take the timer for broken.
            "no_timer_check",
            // A panic resets the machine at once, which -no-reboot turns into the end of QEMU: a fast, clear failure.
            "panic=-1");

    /** Of those, what other architectures than x86 do not know. */
    private static final List<String> OF_X86 = List.of("noreplace-smp", "no_timer_check");

    private BootArguments() {}

    static List<String> of(QemuInstallation qemu, boolean kvm, VmConfig config, AgentDevices agent) {
        MachineConfig machine = config.settings().machine();
        List<String> line = new ArrayList<>();
        firmware(qemu, machine).ifPresent(rom -> line.addAll(List.of("-bios", rom.toString())));
        for (int unit = 0; unit < machine.pflash().size(); unit++) {
            line.addAll(List.of(
                    "-drive",
                    "if=pflash,unit=" + unit + ",format=raw,readonly=on,file="
                            + QemuCommandLine.escape(machine.pflash().get(unit))));
        }
        line.addAll(List.of("-kernel", config.image().kernel().toAbsolutePath().toString()));
        config.image()
                .initrd()
                .ifPresent(initrd ->
                        line.addAll(List.of("-initrd", initrd.toAbsolutePath().toString())));
        line.addAll(List.of("-append", kernelCommandLine(kvm, config, agent)));
        return line;
    }

    private static Optional<Path> firmware(QemuInstallation qemu, MachineConfig machine) {
        if (machine.firmware().isPresent()) {
            return machine.firmware();
        }
        boolean none =
                !MachineModel.of(machine.type()).isX86() || !machine.pflash().isEmpty();
        return none ? Optional.empty() : qemu.qboot();
    }

    private static String kernelCommandLine(boolean kvm, VmConfig config, AgentDevices agent) {
        MachineConfig machine = config.settings().machine();
        MachineModel model = MachineModel.of(machine.type());
        List<String> words = new ArrayList<>(List.of("console=" + model.console()));
        words.addAll(KERNEL_PARAMETERS);
        if (!model.isX86()) {
            words.removeAll(OF_X86);
        }
        if (model == MachineModel.MICROVM && !kvm) {
            // On a busy host the kernel can calibrate for ever against this machine's one timer.
            HostTsc.khz().ifPresent(khz -> words.addAll(List.of("tsc_early_khz=" + khz, "tsc=reliable")));
        }
        if (MemoryArguments.canGrow(config)) {
            // Else the kernel sets 64 MiB aside for devices that cannot reach memory beyond 4 GiB: there is none.
            words.add("swiotlb=noforce");
        }
        if (machine.iommu()) {
            words.addAll(List.of("intel_iommu=on", "iommu=pt"));
        }
        config.image().disk().ifPresent(disk -> words.addAll(root(disk)));
        words.addAll(agent.kernelParameters());
        words.addAll(config.kernelParameters());
        words.addAll(config.settings().kernelParameters());
        String text = String.join(" ", words);
        int bytes = text.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > MAX_KERNEL_COMMAND_LINE) {
            throw new InvalidConfigException(
                    "kernel parameters",
                    "of " + bytes + " bytes in all",
                    "the kernel cuts them off after " + MAX_KERNEL_COMMAND_LINE);
        }
        return text;
    }

    private static List<String> root(RootDisk disk) {
        String device = disk.nvdimm() ? "/dev/pmem0" : "/dev/vda";
        String partition = disk.partition() == 0 ? "" : (disk.nvdimm() ? "p" : "") + disk.partition();
        return List.of("root=" + device + partition, "ro", "rootfstype=" + disk.fileSystem());
    }
}
