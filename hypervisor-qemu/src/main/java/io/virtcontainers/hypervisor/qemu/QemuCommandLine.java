// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.VmConfig;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The arguments of QEMU for a sandbox: a q35 machine without any default device, booted by qboot straight into an
 * uncompressed kernel. It is an argument list, never a shell line. Measured against SeaBIOS and a bzImage, this boots in
 * about half the CPU time.
 */
final class QemuCommandLine {
    /** The bus for disks that are plugged in while the machine runs. */
    static final String BRIDGE = "pci-bridge-0";

    /** Where {@link #BRIDGE} sits on bus 0. */
    static final int BRIDGE_SLOT = 0x02;

    /** Where the agent's device is: in the last slot of {@link #BRIDGE}, as the disks have 1 to 0x1e. No I/O ports needed. */
    static final String AGENT_PLACE = "bus=" + BRIDGE + ",addr=1f,disable-legacy=on";

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

    private QemuCommandLine() {}

    static List<String> of(QemuInstallation qemu, boolean kvm, VmConfig config, AgentDevices agent) {
        SandboxFiles files = new SandboxFiles(config.directory());
        List<String> line = new ArrayList<>();
        line.add(qemu.binary().toString());
        option(line, "-name", "sandbox-" + escape(config.sandboxId()));
        // What an operator reads, and by which reap() knows the process of this directory.
        option(line, "-pidfile", files.pidFile().toString());
        // Only the devices that are named here, no configuration of the host: less to attack, less to boot.
        line.add("-nodefaults");
        line.add("-no-user-config");
        option(line, "-display", "none");
        // A guest that resets has failed or is done: never boot it a second time.
        line.add("-no-reboot");
        // QEMU itself gives up starting programs and gaining rights, whatever a guest makes it do.
        option(line, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
        // q35 for its PCI hotplug by ACPI; without the devices that it has even under -nodefaults.
        option(line, "-M", "q35,sata=off,smbus=off,vmport=off");
        addProcessor(line, kvm);
        option(line, "-smp", "cpus=" + config.vcpus());
        line.addAll(MemoryArguments.of(config));
        qemu.qboot().ifPresent(rom -> option(line, "-bios", rom.toString()));
        option(line, "-kernel", config.image().kernel().toAbsolutePath().toString());
        option(line, "-initrd", config.image().initrd().toAbsolutePath().toString());
        option(line, "-append", kernelCommandLine(config, agent));
        addControl(line, files, config.detached());
        addBridge(line);
        line.addAll(agent.arguments(files, config.detached()));
        return List.copyOf(line);
    }

    /** The processor that guests get, and that the accelerator's probe must use too. */
    static void addProcessor(List<String> line, boolean kvm) {
        if (kvm) {
            option(line, "-accel", "kvm");
            option(line, "-cpu", "host");
        } else {
            option(line, "-accel", "tcg");
            // Five-level page tables and `rep movsb` are slow to emulate. It has RDRAND, so the guest needs no other
            // source of randomness.
            option(line, "-cpu", "max,-la57,-erms");
        }
    }

    // QEMU connects to sockets on which this process listens already: no polling for a socket to appear, and no byte of
    // the console is lost. When this process is gone, QEMU drops what it would write to them.
    private static void addControl(List<String> line, SandboxFiles files, boolean detached) {
        option(line, "-chardev", "socket,id=qmp,server=off,path=" + escape(files.qmpSocket()));
        option(line, "-mon", "chardev=qmp,mode=control");
        option(line, "-chardev", "socket,id=console,server=off,path=" + escape(files.consoleSocket()));
        option(line, "-serial", "chardev:console");
        if (detached) {
            // For the processes that come later.
            option(line, "-chardev", "socket,id=control,server=on,wait=off,path=" + escape(files.controlSocket()));
            option(line, "-mon", "chardev=control,mode=control");
        }
    }

    private static void addBridge(List<String> line) {
        // qboot opens no windows in bridges, and Linux opens none in a bridge with nothing behind: a disk plugged in
        // later would get no addresses ("BAR 4: can't assign; no space"). The agent's device behind the bridge, of
        // whichever kind, makes Linux open windows of 1 MiB, enough for every slot.
        // shpc=off: hotplug by ACPI, which every kernel has, and not by a driver that cloud kernels lack.
        option(
                line,
                "-device",
                "pci-bridge,id=" + BRIDGE + ",bus=pcie.0,addr=" + slot(BRIDGE_SLOT) + ",chassis_nr=1,shpc=off");
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

    private static void option(List<String> line, String name, String value) {
        line.add(name);
        line.add(value);
    }

    /** A slot as QEMU's {@code addr} property takes it: hex without a prefix. */
    static String slot(int number) {
        return String.format("%02x", number);
    }

    private static String escape(Path path) {
        return escape(path.toString());
    }

    /** In a value of QEMU's option syntax a comma is written twice. */
    static String escape(String value) {
        return value.replace(",", ",,");
    }
}
