// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.BlockConfig;
import io.virtcontainers.BlockDriver;
import io.virtcontainers.GuestMemoryConfig;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.MachineType;
import io.virtcontainers.MemorySize;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.RootDisk;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MachineRulesTest {
    @TempDir
    Path directory;

    private static void check(HypervisorConfig settings, GuestImage image) {
        MachineRules.check(new VmConfig(
                "demo", Path.of("/run/vc/demo"), 1, MemorySize.mib(128), false, settings, image, java.util.List.of()));
    }

    private static void check(MachineConfig.Builder machine) {
        check(
                HypervisorConfig.builder().machine(machine.build()).build(),
                new GuestImage(Path.of("kernel"), Path.of("initrd"), "6.1"));
    }

    private static void refused(MachineConfig.Builder machine, String message) {
        assertThatThrownBy(() -> check(machine))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage(message);
    }

    private static void unsupported(MachineConfig.Builder machine, String message) {
        assertThatThrownBy(() -> check(machine))
                .isInstanceOf(UnsupportedException.class)
                .hasMessage(message);
    }

    private static MachineConfig.Builder machine(MachineType type) {
        return MachineConfig.builder().type(type);
    }

    @ParameterizedTest
    @EnumSource
    void theDefaultsOfEachMachineAreFine(MachineType type) {
        assertThatCode(() -> check(machine(type))).doesNotThrowAnyException();
    }

    @Test
    void whatAMachineCannotHaveIsRefusedByName() {
        unsupported(machine(MachineType.PC).iommu(true), "a machine PC cannot have an IOMMU: use Q35");
        unsupported(machine(MachineType.PC).pcieRootPorts(1), "a machine PC cannot have PCIe root ports: use Q35");
        unsupported(
                machine(MachineType.MICROVM).bridges(2), "a machine MICROVM cannot have PCI bridges: use Q35 or PC");
        unsupported(
                machine(MachineType.MICROVM).pflash(directory),
                "a machine MICROVM cannot have flash memory: use Q35 or PC");
        GuestImage image = new GuestImage(
                Path.of("kernel"), Optional.empty(), Optional.of(new RootDisk(directory, true, "ext4", 1)), "6.1");
        HypervisorConfig settings = HypervisorConfig.builder()
                .machine(MachineConfig.of(MachineType.MICROVM))
                .build();
        assertThatThrownBy(() -> check(settings, image))
                .isInstanceOf(UnsupportedException.class)
                .hasMessage("a machine MICROVM cannot have nvdimm: use GuestRoot.image, a virtio disk");
        HypervisorConfig scsi = HypervisorConfig.builder()
                .machine(MachineConfig.of(MachineType.MICROVM))
                .block(new BlockConfig(BlockDriver.VIRTIO_SCSI, false, false))
                .build();
        GuestImage initrd = new GuestImage(Path.of("kernel"), Optional.of(Path.of("initrd")), Optional.empty(), "6.1");
        for (GuestMemoryConfig memory : List.of(
                GuestMemoryConfig.builder().virtioMem(true).build(),
                GuestMemoryConfig.builder().persistent(MemorySize.mib(64)).build(),
                GuestMemoryConfig.builder().balloon(true).build())) {
            HypervisorConfig withMemory = HypervisorConfig.builder()
                    .machine(MachineConfig.of(MachineType.MICROVM))
                    .memory(memory)
                    .build();
            assertThatThrownBy(() -> check(withMemory, initrd))
                    .isInstanceOf(UnsupportedException.class)
                    .hasMessageMatching(
                            "a machine MICROVM cannot have (virtio-mem|a balloon|persistent memory): use Q35 or PC");
        }
        assertThatThrownBy(() -> check(scsi, initrd))
                .isInstanceOf(UnsupportedException.class)
                .hasMessage("a machine MICROVM cannot have virtio-scsi disks: use Q35 or PC");
    }

    @Test
    void settingsThatContradictEachOtherAreRefused() throws Exception {
        Path file = Files.createFile(directory.resolve("rom"));
        refused(machine(MachineType.Q35).iommuPlatform(true), "iommuPlatform true: needs iommu, which is false");
        refused(
                machine(MachineType.Q35).firmware(file).pflash(file),
                "firmware " + file + ": flash memory takes its place: give one of both");
        refused(
                machine(MachineType.Q35).pflash(file, file, file),
                "pflash [" + file + ", " + file + ", " + file + "]: at most 2");
    }

    @Test
    void filesMustBeThere() {
        Path missing = directory.resolve("missing");
        refused(
                machine(MachineType.Q35).firmware(missing),
                "firmware " + missing + ": is no file that this user can read");
        refused(machine(MachineType.Q35).pflash(missing), "pflash " + missing + ": is no file that this user can read");
        refused(
                machine(MachineType.Q35).entropySource(directory),
                "entropy source " + directory
                        + ": is no character device that this user can read: /dev/urandom is one");
        assertThatCode(() -> check(machine(MachineType.Q35).entropySource(Path.of("/dev/urandom"))))
                .doesNotThrowAnyException();
    }

    @Test
    void memoryIsInOnePlace() {
        GuestImage image = new GuestImage(Path.of("kernel"), Path.of("initrd"), "6.1");
        GuestMemoryConfig both = GuestMemoryConfig.builder()
                .fileDirectory(directory)
                .hugepages(true)
                .build();
        assertThatThrownBy(() -> check(HypervisorConfig.builder().memory(both).build(), image))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage(
                        "memory file directory " + directory + ": huge pages are in no directory: give one of both");
        GuestMemoryConfig missing = GuestMemoryConfig.builder()
                .fileDirectory(directory.resolve("none"))
                .build();
        assertThatThrownBy(
                        () -> check(HypervisorConfig.builder().memory(missing).build(), image))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageEndingWith("is no directory that this user can write to");
    }
}
