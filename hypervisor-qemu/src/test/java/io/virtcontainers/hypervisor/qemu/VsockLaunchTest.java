// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.Accelerator;
import io.virtcontainers.AgentChannel;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file stands for /dev/vhost-vsock, and {@link QemuImpostor} for QEMU. */
class VsockLaunchTest {
    @TempDir
    Path directory;

    private QemuHypervisor hypervisor;
    private Path notes;

    @BeforeEach
    void open() throws IOException {
        notes = directory.resolve("notes");
        hypervisor = new QemuHypervisor(
                Files.createDirectory(directory.resolve("cache")), Files.createFile(directory.resolve("vhost-vsock")));
    }

    @AfterEach
    void close() {
        hypervisor.reap(directory, soon());
        hypervisor.close();
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(60));
    }

    private Path impostor(int addressesTaken) throws IOException {
        String script = """
                #!/bin/sh
                case "$1" in
                -version) echo "QEMU emulator version 8.1.0"; exit ;;
                -L) echo /usr/share/qemu; exit ;;
                esac
                exec %s -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp %s %s %s %d "$@"
                """.formatted(
                        Path.of(System.getProperty("java.home"), "bin", "java"),
                        System.getProperty("java.class.path"),
                        QemuImpostor.class.getName(),
                        notes,
                        addressesTaken);
        Path file = Files.writeString(directory.resolve("fake-qemu"), script);
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
    }

    private VmConfig config(AgentChannel channel, int addressesTaken) throws IOException {
        return new VmConfig(
                "demo",
                directory,
                1,
                MemorySize.mib(128),
                false,
                HypervisorConfig.builder()
                        .accelerator(Accelerator.TCG)
                        .agentChannel(channel)
                        .binary(impostor(addressesTaken))
                        .build(),
                new GuestImage(directory.resolve("vmlinux"), directory.resolve("initrd"), ""),
                List.of());
    }

    private List<String> addressesTried() throws IOException {
        return Files.readAllLines(notes).stream()
                .map(line -> line.replaceAll(".*guest-cid=(\\d+).*", "$1"))
                .toList();
    }

    @Test
    void anAddressThatIsTakenLeadsToAnother() throws IOException {
        VirtualMachine machine = hypervisor.launch(config(AgentChannel.VSOCK, 2), TestGuest.NO_PHASES, soon());
        try {
            assertThat(addressesTried()).hasSize(3).doesNotHaveDuplicates();
            assertThat(machine.channels())
                    .isEqualTo(List.of(new GuestChannel.Vsock(
                            Integer.parseUnsignedInt(addressesTried().get(2)), 1024)));
            assertThat(machine.diagnostics().events().get(0))
                    .isEqualTo(
                            "agent channel: vsock with CID " + addressesTried().get(2) + ", as it was asked for");
        } finally {
            machine.stop(soon());
        }
    }

    @Test
    void aHostWhoseAddressesAreAllTakenIsGivenUp() throws IOException {
        VmConfig config = config(AgentChannel.AUTO, 100);
        assertThatThrownBy(() -> hypervisor.launch(config, TestGuest.NO_PHASES, soon()))
                .isInstanceOfSatisfying(
                        HypervisorException.class,
                        e -> assertThat(e.diagnostics().hypervisorTail()).contains("Address already in use"))
                .hasMessageContaining("no free vsock address: each of 5")
                .hasMessageContaining("VIRTIO_SERIAL");
        assertThat(addressesTried()).hasSize(5).doesNotHaveDuplicates();
    }

    @Test
    void withoutVsockTheFirstRefusalCounts() throws IOException {
        VmConfig config = config(AgentChannel.VIRTIO_SERIAL, 100);
        assertThatThrownBy(() -> hypervisor.launch(config, TestGuest.NO_PHASES, soon()))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("exited with code 1");
        assertThat(Files.readAllLines(notes)).hasSize(1);
    }

    @Test
    void aChannelThatQemuLacksIsRefusedBeforeAnythingStarts() throws IOException {
        VmConfig config = config(AgentChannel.HYBRID_VSOCK, 0);
        assertThatThrownBy(() -> hypervisor.launch(config, TestGuest.NO_PHASES, soon()))
                .isInstanceOf(UnsupportedException.class);
        assertThat(notes).doesNotExist();
    }
}
