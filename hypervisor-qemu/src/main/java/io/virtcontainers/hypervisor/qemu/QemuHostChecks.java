// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.Accelerator;
import io.virtcontainers.AgentChannel;
import io.virtcontainers.HostCheck;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Looks at what a machine needs of the host. What emulation can do without is a warning, unless the settings insist. The
 * list of processor flags and modules is that of Kata Containers 1.x.
 */
final class QemuHostChecks {
    private static final Pattern FLAGS = Pattern.compile("(?m)^flags\\s*:(.*)$");
    /** In what QEMU tells of a device that it has: {@code virtserialport options:}, or that there are none. */
    private static final String OPTIONS = "options";

    private final Path root;
    private final QemuInstallations installations;
    private final Accelerators accelerators;
    private final AgentChannels channels;
    private final List<HostCheck> found = new ArrayList<>();

    /** @param root {@code /}, where {@code proc}, {@code sys} and {@code dev} are */
    QemuHostChecks(Path root, QemuInstallations installations, Accelerators accelerators, AgentChannels channels) {
        this.root = root;
        this.installations = installations;
        this.accelerators = accelerators;
        this.channels = channels;
    }

    List<HostCheck> of(HypervisorConfig settings, Deadline deadline) {
        MachineModel model = MachineModel.of(settings.machine().type());
        if (settings.accelerator() != Accelerator.TCG) {
            checkProcessor(model);
        }
        checkModules(settings, model);
        try {
            QemuInstallation qemu = installations.find(settings.binary(), model, deadline);
            found.add(HostCheck.ok("qemu", qemu.binary() + ", version " + qemu.version(), qemu.binary()));
            checkDevices(settings, model, qemu, deadline);
            checkFirmware(settings, model, qemu);
            checkKvm(settings, model, qemu, deadline);
        } catch (VirtException e) {
            found.add(HostCheck.failed("qemu", String.valueOf(e.getMessage())));
        }
        checkVsock(settings);
        checkDevice("dev/vhost-net", "network cards are served by QEMU itself, slower");
        checkDevice("dev/net/tun", "the guest can have no card of a network namespace");
        if (settings.sharedFs().type() == SharedFs.VIRTIO_FS) {
            found.add(HostCheck.ofFile("virtiofsd", () -> VirtioFsDaemon.program(settings.sharedFs())));
        }
        if (settings.sharedFs().type() != SharedFs.NONE) {
            for (String tool : ShareNamespace.TOOLS) {
                found.add(HostCheck.ofFile(tool, () -> Programs.require(tool, ShareNamespace.REMEDY)));
            }
        }
        return List.copyOf(found);
    }

    private void checkProcessor(MachineModel model) {
        if (!model.isX86()) {
            return;
        }
        try {
            Matcher line = FLAGS.matcher(Files.readString(root.resolve("proc/cpuinfo")));
            Set<String> flags = new TreeSet<>(
                    List.of((line.find() ? line.group(1) : "").strip().split(" +", -1)));
            List<String> lacking = new ArrayList<>();
            if (!flags.contains("vmx") && !flags.contains("svm")) {
                lacking.add("vmx (Intel) or svm (AMD)");
            }
            for (String flag : List.of("lm", "sse4_1")) {
                if (!flags.contains(flag)) {
                    lacking.add(flag);
                }
            }
            found.add(
                    lacking.isEmpty()
                            ? HostCheck.ok(
                                    "processor", "has " + (flags.contains("vmx") ? "vmx" : "svm") + ", lm, sse4_1")
                            : HostCheck.warning(
                                    "processor",
                                    "lacks " + String.join(", ", lacking)
                                            + ", so guests are emulated: switch virtualization on in the firmware's"
                                            + " settings, or on a virtual machine let its host pass it on"));
        } catch (IOException e) {
            found.add(HostCheck.warning(
                    "processor", "cannot read " + root.resolve("proc/cpuinfo") + ": " + e + ": mount proc there"));
        }
    }

    private void checkModules(HypervisorConfig settings, MachineModel model) {
        List<String> wanted = new ArrayList<>(List.of("vhost", "vhost_net", "vhost_vsock"));
        if (settings.accelerator() != Accelerator.TCG) {
            wanted.add(0, "kvm");
            if (model.isX86()) {
                wanted.add(1, isAmd() ? "kvm_amd" : "kvm_intel");
            }
        }
        List<String> lacking = wanted.stream()
                .filter(module -> !Files.exists(root.resolve("sys/module").resolve(module)))
                .toList();
        found.add(
                lacking.isEmpty()
                        ? HostCheck.ok("modules", String.join(", ", wanted) + " are loaded")
                        : HostCheck.warning(
                                "modules",
                                "not loaded: " + String.join(", ", lacking) + ": load them as root (\"modprobe -a "
                                        + String.join(" ", lacking) + "\"), unless the kernel has them built in"));
    }

    private boolean isAmd() {
        try {
            return Files.readString(root.resolve("proc/cpuinfo")).contains("AuthenticAMD");
        } catch (IOException e) {
            return false;
        }
    }

    /** A QEMU of a distribution can have its devices in packages of their own. */
    private void checkDevices(HypervisorConfig settings, MachineModel model, QemuInstallation qemu, Deadline deadline) {
        Set<String> wanted = new TreeSet<>(List.of(model.virtio("virtio-serial"), "virtserialport"));
        if (model.hasPci()) {
            wanted.addAll(List.of("pci-bridge", "virtio-blk-pci", "virtio-net-pci"));
        }
        model.panicDevice().ifPresent(wanted::add);
        if (settings.agentChannel() == AgentChannel.VSOCK) {
            wanted.add(model.virtio("vhost-vsock"));
        }
        if (settings.sharedFs().type() == SharedFs.VIRTIO_FS) {
            wanted.add("vhost-user-fs-pci");
        }
        if (ShareArguments.is9p(settings)) {
            wanted.add(model.virtio("virtio-9p"));
        }
        if (settings.machine().entropySource().isPresent()) {
            wanted.add(model.virtio("virtio-rng"));
        }
        List<String> lacking = wanted.stream()
                .filter(device -> !installations
                        .run(qemu.binary(), List.of("-device", device + ",help"), deadline)
                        .contains(OPTIONS))
                .toList();
        found.add(
                lacking.isEmpty()
                        ? HostCheck.ok("qemu devices", String.join(", ", wanted))
                        : HostCheck.failed(
                                "qemu devices",
                                qemu.binary() + " lacks " + String.join(", ", lacking)
                                        + ": install a complete QEMU (\"apt install qemu-system-x86\")"));
    }

    private void checkFirmware(HypervisorConfig settings, MachineModel model, QemuInstallation qemu) {
        boolean needed = model.isX86()
                && settings.machine().firmware().isEmpty()
                && settings.machine().pflash().isEmpty();
        if (needed) {
            found.add(qemu.qboot()
                    .map(rom -> HostCheck.ok("firmware", rom.toString(), rom))
                    .orElseGet(() -> HostCheck.warning(
                            "firmware",
                            "there is no qboot.rom in " + qemu.dataDirectories()
                                    + ", so guests boot slower: install QEMU's qboot")));
        }
    }

    private void checkKvm(HypervisorConfig settings, MachineModel model, QemuInstallation qemu, Deadline deadline) {
        if (settings.accelerator() == Accelerator.TCG) {
            found.add(HostCheck.ok("kvm", "not used, as emulation was asked for"));
            return;
        }
        found.add(accelerators
                .problem(model, qemu, name -> () -> {}, deadline)
                .map(problem -> settings.accelerator() == Accelerator.KVM
                        ? HostCheck.failed("kvm", problem + "; or let guests be emulated: accelerator AUTO")
                        : HostCheck.warning("kvm", "guests are emulated, several times slower: " + problem))
                .orElseGet(() -> HostCheck.ok("kvm", "a test guest has booted")));
    }

    private void checkVsock(HypervisorConfig settings) {
        found.add(channels.problem()
                .map(problem -> settings.agentChannel() == AgentChannel.VSOCK
                        ? HostCheck.failed("vsock", problem)
                        : HostCheck.warning("vsock", "the agent is reached by virtio-serial: " + problem))
                .orElseGet(() -> HostCheck.ok("vsock", "/dev/vhost-vsock can be opened")));
    }

    private void checkDevice(String path, String without) {
        Path device = root.resolve(path);
        try (FileChannel opened = FileChannel.open(device, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            found.add(HostCheck.ok(device.toString(), "can be opened"));
        } catch (NoSuchFileException e) {
            found.add(HostCheck.warning(
                    device.toString(),
                    "is not there, so " + without + ": load its module as root (\"modprobe "
                            + device.getFileName().toString().replace("vhost-net", "vhost_net") + "\")"));
        } catch (AccessDeniedException e) {
            found.add(HostCheck.warning(
                    device.toString(), "cannot be opened by this user, so " + without + ": run as root for it"));
        } catch (IOException e) {
            found.add(HostCheck.warning(
                    device.toString(),
                    "cannot be opened, so " + without + ": allow it to this container or service: " + e.getMessage()));
        }
    }
}
