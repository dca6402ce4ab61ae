// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.NO_PHASES;
import static io.virtcontainers.hypervisor.qemu.TestGuest.assertDead;
import static io.virtcontainers.hypervisor.qemu.TestGuest.awaitConsole;
import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.Device;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.RootDisk;
import io.virtcontainers.spi.VirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** QEMU as another user, if the tests run as root; else the refusal. Nothing but its directory is open to that user. */
@Tag("vm")
class RunAsVmTest {
    private static final String USER = "nobody";
    private static final boolean ROOT = System.getProperty("user.name").equals("root");
    private static final HypervisorConfig SETTINGS =
            TestGuest.settings().user(USER).build();

    @TempDir
    Path temporary;

    private Path directory;
    private GuestImage image;
    private QemuHypervisor hypervisor;

    @BeforeEach
    void open() throws IOException {
        Path closed = Files.createDirectory(temporary.resolve("closed"));
        image = TestGuest.image(closed);
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));
        directory = Files.createDirectory(
                closed.resolve("vm"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        hypervisor = new QemuHypervisor(closed);
    }

    @AfterEach
    void close() {
        hypervisor.reap(directory, seconds(10));
        hypervisor.close();
    }

    private VirtualMachine launch(GuestImage booted, String test, boolean detached) {
        return hypervisor.launch(TestGuest.config(directory, booted, test, detached, SETTINGS), NO_PHASES, seconds(20));
    }

    private boolean refusedUnlessRoot() {
        if (!ROOT) {
            assertThatThrownBy(() -> launch(image, "", false))
                    .isInstanceOf(UnsupportedException.class)
                    .hasMessageContaining("only root can run the hypervisor as user nobody");
        }
        return !ROOT;
    }

    private Path closedDisk(String name) throws IOException {
        Path disk = Files.write(directory.resolveSibling(name), new byte[1 << 20]);
        return Files.setPosixFilePermissions(disk, PosixFilePermissions.fromString("rw-------"));
    }

    private static List<String> status(VirtualMachine machine) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + machine.process().pid() + "/status")).stream()
                .map(line -> line.replaceAll("\\s+", " "))
                .toList();
    }

    @Test
    void qemuHasNoRightsAndItsConsoleDisksAndChannelWork() throws IOException {
        if (refusedUnlessRoot()) {
            return;
        }
        GuestImage withDisk = new GuestImage(
                image.kernel(),
                image.initrd(),
                Optional.of(new RootDisk(closedDisk("root"), false, "ext4", 0)),
                image.kernelRelease());
        VirtualMachine machine = launch(withDisk, "report", false);
        awaitConsole(machine, "REPORTED");
        assertThat(machine.diagnostics().consoleTail()).contains("DISK: vda 2048 1\n");
        assertThat(TestGuest.echo(machine.channels().get(0))).isEqualTo("hello");
        assertThat(status(machine))
                .contains(
                        "Uid: 65534 65534 65534 65534",
                        "Gid: 65534 65534 65534 65534",
                        "CapEff: 0000000000000000",
                        "CapPrm: 0000000000000000",
                        "CapBnd: 0000000000000000",
                        "NoNewPrivs: 1",
                        "Seccomp: 2");
        machine.addDevice(new Device.Block("data", closedDisk("data"), false), seconds(10));
        awaitConsole(machine, "0000:01:01.0=vdb.");
        assertThatThrownBy(
                        () -> machine.addDevice(new Device.Block("none", directory.resolve("none"), true), seconds(5)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("No such file or directory");
        machine.removeDevice("data", seconds(10));
        awaitConsole(machine, "DISKS: 0000:00:01.0=vda.");
        // Nobody else gets at its sockets.
        assertThat(Files.getPosixFilePermissions(directory)).isEqualTo(PosixFilePermissions.fromString("rwx------"));
        machine.stop(seconds(10));
        assertThat(machine.onExit()).succeedsWithin(Duration.ofSeconds(1)).isEqualTo("stopped");
    }

    @Test
    void aDetachedOneIsAttachedToAndReaped() throws IOException {
        if (refusedUnlessRoot()) {
            return;
        }
        VirtualMachine machine = launch(image, "", true);
        awaitConsole(machine, "GUEST READY");
        machine.release();
        VirtualMachine attached = hypervisor.attach("demo", directory, SETTINGS, machine.process(), seconds(10));
        assertThat(attached.addDevice(new Device.Block("data", closedDisk("data"), true), seconds(10)))
                .isEqualTo("02/01");
        attached.removeDevice("data", seconds(10));
        attached.release();
        hypervisor.reap(directory, seconds(10));
        assertDead(machine.process().pid());
    }

    @Test
    void itEndsWithTheJavaProcess() throws Exception {
        if (refusedUnlessRoot()) {
            return;
        }
        Process owner = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        LaunchAndWait.class.getName(),
                        directory.toString(),
                        directory.resolveSibling("cache").toString(),
                        image.kernel().toString(),
                        image.initrd().orElseThrow().toString(),
                        "scoped",
                        USER)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            String line = owner.inputReader().readLine();
            assertThat(line).startsWith("pid ");
            long pid = Long.parseLong(line.substring(4));
            assertThat(TestGuest.isDead(pid)).isFalse();
            owner.destroyForcibly();
            await().atMost(Duration.ofSeconds(2)).until(() -> TestGuest.isDead(pid));
        } finally {
            owner.destroyForcibly().waitFor();
        }
    }

    @Test
    void aUserWhoIsNotThereIsRefused() {
        if (refusedUnlessRoot()) {
            return;
        }
        HypervisorConfig unknown = TestGuest.settings().user("no-such-user").build();
        assertThatThrownBy(() -> hypervisor.launch(
                        TestGuest.config(directory, image, "", false, unknown), NO_PHASES, seconds(5)))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("there is no user no-such-user");
    }

    @Test
    void aKernelThatTheUserCouldNotReadIsRefused() throws IOException {
        if (refusedUnlessRoot()) {
            return;
        }
        Files.setPosixFilePermissions(image.initrd().orElseThrow(), PosixFilePermissions.fromString("rw-------"));
        assertThatThrownBy(() -> launch(image, "", false))
                .hasMessageContaining("must be readable by all, as QEMU opens it as another user");
    }
}
