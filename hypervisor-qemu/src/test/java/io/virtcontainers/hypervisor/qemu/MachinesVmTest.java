// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.NO_PHASES;
import static io.virtcontainers.hypervisor.qemu.TestGuest.awaitConsole;
import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.Device;
import io.virtcontainers.GuestMemoryConfig;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.MachineType;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.RootDisk;
import io.virtcontainers.spi.VirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each setting of a machine, as the guest or the host sees it. */
@Tag("vm")
class MachinesVmTest {
    private static final Path NR_HUGEPAGES = Path.of("/proc/sys/vm/nr_hugepages");
    private static final Path SEABIOS = Path.of("/usr/share/seabios/bios-256k.bin");
    private static final int MIB = 1 << 20;

    @TempDir
    static Path shared;

    static GuestImage image;

    @TempDir
    Path directory;

    private QemuHypervisor hypervisor;

    @BeforeAll
    static void makeImage() {
        image = TestGuest.image(shared);
    }

    @BeforeEach
    void open() {
        hypervisor = new QemuHypervisor(shared);
    }

    @AfterEach
    void close() {
        hypervisor.reap(directory, seconds(10));
        hypervisor.close();
    }

    private VirtualMachine launch(HypervisorConfig settings, GuestImage booted) {
        return hypervisor.launch(
                TestGuest.config(directory, booted, "report", false, settings), NO_PHASES, seconds(20));
    }

    private VirtualMachine launch(MachineConfig machine) {
        return launch(TestGuest.settings().machine(machine).build(), image);
    }

    private VirtualMachine launch(GuestMemoryConfig memory) {
        return launch(TestGuest.settings().memory(memory).build(), image);
    }

    /** What the guest says of itself; then it answers on the agent's channel, which proves that too. */
    private static List<String> report(VirtualMachine machine) throws IOException {
        awaitConsole(machine, "REPORTED");
        assertThat(TestGuest.echo(machine.channels().get(0))).isEqualTo("hello");
        return machine.diagnostics().consoleTail().lines().toList();
    }

    private static List<String> pciDevices(List<String> report) {
        return report.stream()
                .filter(line -> line.startsWith("PCI: "))
                .map(line -> line.substring(5))
                .toList();
    }

    private static String status(VirtualMachine machine, String field) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + machine.process().pid() + "/status")).stream()
                .filter(line -> line.startsWith(field + ":"))
                .findFirst()
                .orElseThrow()
                .replaceAll("\\s+", " ");
    }

    private static long kibibytes(String status) {
        return Long.parseLong(status.split(" ", 3)[1]);
    }

    @Test
    void q35HasNoDeviceThatIsNotAskedFor() throws IOException {
        VirtualMachine machine = launch(MachineConfig.of(MachineType.Q35));
        List<String> report = report(machine);
        assertThat(pciDevices(report))
                .containsExactly(
                        "0000:00:00.0 0x8086 0x29c0", // the host bridge
                        "0000:00:02.0 0x1b36 0x0001", // the bridge for what is plugged in
                        "0000:00:1f.0 0x8086 0x2918", // the chip set
                        "0000:01:1f.0 0x1af4 0x1043"); // virtio-serial
        assertThat(report).contains("VIRTIO: 0x0003", "CPUS: 1", "IOMMU:");
        machine.stop(seconds(10));
    }

    @Test
    void pcHasNoDeviceThatIsNotAskedForAndTakesDisks() throws IOException {
        VirtualMachine machine = launch(MachineConfig.of(MachineType.PC));
        List<String> report = report(machine);
        assertThat(pciDevices(report))
                .containsExactly(
                        "0000:00:00.0 0x8086 0x1237", // the host bridge
                        "0000:00:01.0 0x8086 0x7000", // the chip set
                        "0000:00:01.1 0x8086 0x7010", // its IDE, which cannot be left out, without disks
                        "0000:00:01.3 0x8086 0x7113", // its power management
                        "0000:00:02.0 0x1b36 0x0001", // the bridge for what is plugged in
                        "0000:01:1f.0 0x1af4 0x1043"); // virtio-serial
        Path disk = Files.write(directory.resolve("disk"), new byte[MIB]);
        assertThat(machine.addDevice(new Device.Block("disk", disk, true), seconds(5)))
                .isEqualTo("02/01");
        awaitConsole(machine, "DISKS: 0000:00:02.0/0000:01:01.0=vda.");
        machine.removeDevice("disk", seconds(10));
        awaitConsole(machine, "DISKS:.");
        machine.stop(seconds(10));
    }

    @Test
    void microvmHasNoPciAndTakesNoDevices() throws IOException {
        VirtualMachine machine = launch(MachineConfig.of(MachineType.MICROVM));
        List<String> report = report(machine);
        assertThat(pciDevices(report)).containsExactly("* ");
        assertThat(report)
                .contains("VIRTIO: 0x0003")
                .anyMatch(line -> line.startsWith("LINE: ")
                        && line.matches(".* tsc_early_khz=" + HostTsc.khz().orElseThrow() + " tsc=reliable .*"));
        Path disk = Files.write(directory.resolve("disk"), new byte[MIB]);
        assertThatThrownBy(() -> machine.addDevice(new Device.Block("disk", disk, true), seconds(5)))
                .isInstanceOf(UnsupportedException.class)
                .hasMessageContaining("MICROVM");
        machine.stop(seconds(10));
    }

    @Test
    void aMachineHasWhatIsAskedFor() throws IOException {
        MachineConfig asked = MachineConfig.builder()
                .type(MachineType.Q35)
                .options("hpet=off")
                .cpuFeatures("-avx2", "-rdrand")
                .firmware(SEABIOS)
                .pcieRootPorts(2)
                .iommu(true)
                .iommuPlatform(true)
                .ioThreads(true)
                .entropySource(Path.of("/dev/urandom"))
                .build();
        Path file = Files.write(directory.resolve("root,image"), new byte[2 * MIB]);
        GuestImage withDisk = new GuestImage(
                image.kernel(),
                image.initrd(),
                Optional.of(new RootDisk(file, false, "ext4", 1)),
                image.kernelRelease());
        VirtualMachine machine = launch(
                TestGuest.settings()
                        .machine(asked)
                        .kernelParameters("further=1")
                        .build(),
                withDisk);
        List<String> report = report(machine);
        assertThat(pciDevices(report))
                .containsExactlyInAnyOrder(
                        "0000:00:00.0 0x8086 0x29c0",
                        "0000:00:02.0 0x1b36 0x0001",
                        "0000:00:01.0 0x1b36 0x000c", // the root ports
                        "0000:00:03.0 0x1b36 0x000c",
                        "0000:00:04.0 0x1af4 0x1042", // virtio-blk
                        "0000:00:05.0 0x1af4 0x1044", // virtio-rng
                        "0000:00:1f.0 0x8086 0x2918",
                        "0000:02:1f.0 0x1af4 0x1043");
        assertThat(report)
                .contains("RNG: virtio_rng.0", "DISK: vda 4096 1")
                .anyMatch(line -> line.matches("IOMMU: 0 1 2.*"))
                .anyMatch(line -> line.startsWith("FLAGS: ")
                        && line.contains(" avx ")
                        && !line.contains(" avx2 ")
                        && !line.contains(" rdrand "))
                .anyMatch(line -> line.startsWith("LINE: ")
                        && line.contains(" intel_iommu=on iommu=pt root=/dev/vda1 ro rootfstype=ext4 ")
                        && line.endsWith(" further=1"));
        machine.stop(seconds(10));
    }

    @Test
    void disksThatArePluggedInUseTheIoThread() throws IOException {
        VirtualMachine machine = launch(
                TestGuest.settings()
                        .machine(MachineConfig.builder().ioThreads(true).build())
                        .build(),
                image);
        List<String> unused = report(machine);
        Path disk = Files.write(directory.resolve("disk"), new byte[MIB]);
        machine.addDevice(new Device.Block("data", disk, true), seconds(10));
        awaitConsole(machine, "0000:01:01.0=vd");
        machine.removeDevice("data", seconds(10));
        machine.stop(seconds(10));
    }

    @Test
    void flashMemoryBootsInPlaceOfTheFirmware() throws IOException {
        VirtualMachine machine = launch(MachineConfig.builder().pflash(SEABIOS).build());
        assertThat(report(machine)).contains("VIRTIO: 0x0003");
        machine.stop(seconds(10));
    }

    @Test
    void anImageIsPersistentMemoryThatTheGuestCannotWrite() throws IOException {
        Path file = Files.write(directory.resolve("root"), new byte[2 * MIB]);
        GuestImage withDisk = new GuestImage(
                image.kernel(),
                image.initrd(),
                Optional.of(new RootDisk(file, true, "erofs", 0)),
                image.kernelRelease());
        for (MachineType type : List.of(MachineType.Q35, MachineType.PC)) {
            VirtualMachine machine =
                    launch(TestGuest.settings().machine(MachineConfig.of(type)).build(), withDisk);
            assertThat(report(machine))
                    .contains("DISK: pmem0 4096 1")
                    .anyMatch(line -> line.contains(" root=/dev/pmem0 ro rootfstype=erofs "));
            machine.stop(seconds(10));
        }
    }

    @Test
    void memoryIsInAFileOfTheDirectoryLockedAndTakenAtOnce() throws IOException {
        VirtualMachine machine = launch(GuestMemoryConfig.builder()
                .fileDirectory(directory)
                .preallocate(true)
                .locked(true)
                .build());
        assertThat(Files.readAllLines(Path.of("/proc/" + machine.process().pid() + "/maps")))
                .anyMatch(line -> line.contains(" rw-s ") && line.contains(directory.toString()));
        assertThat(kibibytes(status(machine, "VmLck"))).isGreaterThanOrEqualTo(128 << 10);
        assertThat(kibibytes(status(machine, "RssShmem")) + kibibytes(status(machine, "RssFile")))
                .isGreaterThanOrEqualTo(128 << 10);
        machine.stop(seconds(10));
        try (var files = Files.list(directory)) {
            assertThat(files.map(path -> path.getFileName().toString())).noneMatch(name -> name.contains("ram"));
        }
    }

    @Test
    void anonymousMemoryIsTakenAtOnceOnlyIfAskedFor() throws IOException {
        VirtualMachine lazy = launch(GuestMemoryConfig.defaults());
        assertThat(kibibytes(status(lazy, "RssAnon"))).isLessThan(128 << 10);
        lazy.stop(seconds(10));
        VirtualMachine eager =
                launch(GuestMemoryConfig.builder().preallocate(true).build());
        assertThat(kibibytes(status(eager, "RssAnon"))).isGreaterThanOrEqualTo(128 << 10);
        eager.stop(seconds(10));
    }

    /** Where this user cannot make huge pages, the refusal is what there is to test. */
    @Test
    void memoryIsInHugePages() throws IOException {
        GuestMemoryConfig memory = GuestMemoryConfig.builder().hugepages(true).build();
        String before = Files.readString(NR_HUGEPAGES).strip();
        assertThatThrownBy(() -> launch(memory))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("the guest needs 64 huge pages of 2 MiB and the host has " + before + " free");
        if (!Files.isWritable(NR_HUGEPAGES)) {
            return;
        }
        Files.writeString(NR_HUGEPAGES, Integer.toString(Integer.parseInt(before) + 64));
        try {
            VirtualMachine machine = launch(memory);
            assertThat(kibibytes(status(machine, "HugetlbPages"))).isEqualTo(128 << 10);
            machine.stop(seconds(10));
        } finally {
            Files.writeString(NR_HUGEPAGES, before);
        }
    }
}
