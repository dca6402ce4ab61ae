// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.MachineType;
import io.virtcontainers.MemorySize;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.RootDisk;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What no machine of this host can run, as text. */
class MachineArgumentsTest {
    private static List<String> line(boolean kvm, MachineConfig machine, GuestImage image) {
        VmConfig config = new VmConfig(
                "demo",
                Path.of("/run/vc/demo"),
                2,
                MemorySize.mib(256),
                false,
                HypervisorConfig.builder().machine(machine).build(),
                image,
                List.of());
        QemuInstallation qemu = new QemuInstallation(Path.of("/usr/bin/qemu"), "7.2.0", List.of());
        return QemuCommandLine.of(qemu, kvm, config, new AgentDevices.Serial(false));
    }

    private static GuestImage initrd() {
        return new GuestImage(Path.of("/cache/kernel"), Path.of("/cache/initrd"), "6.1");
    }

    @Test
    void arm64HasTheMachineVirt() {
        List<String> line = line(false, MachineConfig.of(MachineType.VIRT), initrd());
        assertThat(line)
                .containsSubsequence("-M", "virt,gic-version=max")
                .containsSubsequence("-accel", "tcg", "-cpu", "max", "-smp", "cpus=2", "-m", "256M")
                .containsSubsequence(
                        "-kernel",
                        "/cache/kernel",
                        "-initrd",
                        "/cache/initrd",
                        "-append",
                        "console=ttyAMA0 quiet cryptomgr.notests init_on_alloc=0 panic=-1")
                .containsSubsequence(
                        "pci-bridge,id=pci-bridge-0,bus=pcie.0,addr=02,chassis_nr=1,shpc=off",
                        "virtio-serial-pci,id=serial0,bus=pci-bridge-0,addr=1f,max_ports=4,disable-legacy=on")
                .doesNotContain("-bios");
        assertThat(MachineModel.VIRT.program()).isEqualTo("qemu-system-aarch64");
    }

    @Test
    void arm64WithKvmHasTheHostsInterruptController() {
        assertThat(line(true, MachineConfig.of(MachineType.VIRT), initrd()))
                .containsSubsequence("-M", "virt,gic-version=host")
                .containsSubsequence("-accel", "kvm", "-cpu", "host");
    }

    @Test
    void microvmWithKvmHasAClockOfItsOwn() {
        assertThat(line(true, MachineConfig.of(MachineType.MICROVM), initrd()))
                .noneMatch(word -> word.contains("tsc_early_khz"));
    }

    @Test
    void aKernelWithItsDriversBuiltInNeedsNoInitrd() {
        GuestImage image = new GuestImage(
                Path.of("/cache/kernel"),
                Optional.empty(),
                Optional.of(new RootDisk(Path.of("/images/kata,1.img"), false, "ext4", 1)),
                "6.1");
        assertThat(line(false, MachineConfig.of(MachineType.Q35), image))
                .doesNotContain("-initrd")
                .contains("driver=raw,node-name=guest-root,read-only=on,file.driver=file,file.read-only=on,"
                        + "file.filename=/images/kata,,1.img")
                .anyMatch(word -> word.contains(" root=/dev/vda1 ro rootfstype=ext4"));
    }

    @Test
    void eachBridgeHasASlotOfItsOwn() {
        assertThat(line(false, MachineConfig.builder().bridges(3).build(), initrd()))
                .contains(
                        "pci-bridge,id=pci-bridge-1,bus=pcie.0,addr=03,chassis_nr=2,shpc=off",
                        "pci-bridge,id=pci-bridge-2,bus=pcie.0,addr=04,chassis_nr=3,shpc=off");
    }
}
