// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.VmConfig;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What the machine boots, and by which firmware, on QEMU's command line. */
final class BootArguments {
    /** The limit of Linux on x86, which cuts off what is longer without a word. */
    private static final int MAX_KERNEL_COMMAND_LINE = 2047;

    private static final List<String> KERNEL_PARAMETERS = List.of(
            "console=ttyS0",
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

    private BootArguments() {}

    static List<String> of(QemuInstallation qemu, VmConfig config, AgentDevices agent) {
        List<String> line = new ArrayList<>();
        qemu.qboot().ifPresent(rom -> line.addAll(List.of("-bios", rom.toString())));
        line.addAll(List.of("-kernel", config.image().kernel().toAbsolutePath().toString()));
        config.image()
                .initrd()
                .ifPresent(initrd ->
                        line.addAll(List.of("-initrd", initrd.toAbsolutePath().toString())));
        line.addAll(List.of("-append", kernelCommandLine(config, agent)));
        return line;
    }

    private static String kernelCommandLine(VmConfig config, AgentDevices agent) {
        List<String> words = new ArrayList<>(KERNEL_PARAMETERS);
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
}
