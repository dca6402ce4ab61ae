// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.NO_PHASES;
import static io.virtcontainers.hypervisor.qemu.TestGuest.assertDead;
import static io.virtcontainers.hypervisor.qemu.TestGuest.awaitConsole;
import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Device;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.VirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("vm")
class QemuMachineVmTest {
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
        // In this order: what still runs must be ended before the starting thread is.
        hypervisor.reap(directory, seconds(10));
        hypervisor.close();
    }

    private VirtualMachine launch(String test) {
        return hypervisor.launch(TestGuest.config(directory, image, test), NO_PHASES, seconds(20));
    }

    @Test
    void bootsPlugsAndUnplugsDisksAndStops() throws Exception {
        Path disk = Files.write(directory.resolve("disk,with comma"), new byte[1 << 20]);
        VirtualMachine machine = launch("");
        awaitConsole(machine, "GUEST READY");

        assertThat(machine.addDevice(new Device.Block("rootfs", disk, true), seconds(5)))
                .isEqualTo("02/01");
        awaitConsole(machine, "DISKS: 0000:00:02.0/0000:01:01.0=vda.");
        // A second reader of the same image: nobody locks it.
        assertThat(machine.addDevice(new Device.Block("same", disk, true), seconds(5)))
                .isEqualTo("02/02");
        awaitConsole(machine, "DISKS: 0000:00:02.0/0000:01:01.0=vda 0000:00:02.0/0000:01:02.0=vdb.");
        assertThatThrownBy(() -> machine.addDevice(new Device.Block("same", disk, true), seconds(5)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("plugged in already");

        machine.removeDevice("rootfs", seconds(10));
        awaitConsole(machine, "DISKS: 0000:00:02.0/0000:01:02.0=vdb.");
        machine.removeDevice("rootfs", seconds(10));
        assertThat(machine.addDevice(new Device.Block("again", disk, true), seconds(5)))
                .isEqualTo("02/01");
        awaitConsole(machine, "DISKS: 0000:00:02.0/0000:01:01.0=vda 0000:00:02.0/0000:01:02.0=vdb.");

        machine.stop(seconds(10));
        assertDead(machine.process().pid());
        assertThat(machine.onExit()).succeedsWithin(1, TimeUnit.SECONDS).isEqualTo("stopped");
        machine.stop(seconds(10));
    }

    @Test
    void everySlotTakesADisk() throws Exception {
        Path disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
        VirtualMachine machine = launch("");
        awaitConsole(machine, "GUEST READY");
        for (int slot = Plug.Bus.PCI.first(); slot <= Plug.Bus.PCI.last(); slot++) {
            machine.addDevice(new Device.Block("disk" + slot, disk, true), seconds(5));
        }
        // The 30th disk after vda to vdz.
        awaitConsole(machine, "0000:01:1e.0=vdad");
        assertThatThrownBy(() -> machine.addDevice(new Device.Block("more", disk, true), seconds(5)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("no free slot");
        machine.stop(seconds(10));
    }

    @Test
    void aDiskPluggedInBeforeTheKernelLooksIsThere() throws Exception {
        Path disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
        VirtualMachine machine = launch("");
        machine.addDevice(new Device.Block("early", disk, false), seconds(5));
        awaitConsole(machine, "=vda.");
        machine.removeDevice("early", seconds(10));
        awaitConsole(machine, "DISKS:.");
        machine.stop(seconds(10));
    }

    @Test
    void aMissingImageIsRefusedAndLeavesTheSlotFree() throws Exception {
        Path disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
        VirtualMachine machine = launch("");
        assertThatThrownBy(() ->
                        machine.addDevice(new Device.Block("none", directory.resolve("missing"), true), seconds(5)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("missing")
                .hasMessageContaining("No such file");
        assertThat(machine.addDevice(new Device.Block("none", disk, true), seconds(5)))
                .isEqualTo("02/01");
        machine.stop(seconds(10));
    }

    @Test
    void aGuestThatDoesNotLetGoOfADiskKeepsItsSlot() throws Exception {
        Path disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
        VirtualMachine machine = launch("");
        machine.addDevice(new Device.Block("held", disk, true), seconds(5));
        // The firmware has not even started Linux yet.
        Deadline deadline = Deadline.after(Duration.ofMillis(100));
        assertThatThrownBy(() -> machine.removeDevice("held", deadline))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("release of device held");
        assertThat(machine.addDevice(new Device.Block("next", disk, true), seconds(5)))
                .isEqualTo("02/02");
        assertThatThrownBy(() -> machine.addDevice(new Device.Block("held", disk, true), seconds(5)))
                .hasMessageContaining("plugged in already");
        machine.stop(seconds(10));
    }

    @Test
    void theAgentsPortCarriesBytesBothWays() throws IOException {
        VirtualMachine machine = launch("echo");
        // Written before the guest is up: it waits for it.
        assertThat(TestGuest.echo(machine.channels().get(0))).isEqualTo("hello");
        machine.stop(seconds(10));
    }

    @Test
    void onExitTellsOfAKilledQemuWithinASecond() {
        VirtualMachine machine = launch("");
        assertThat(ProcessHandle.of(machine.process().pid()).orElseThrow().destroyForcibly())
                .isTrue();
        assertThat(machine.onExit())
                .succeedsWithin(1, TimeUnit.SECONDS)
                .isEqualTo("QEMU was killed by signal 9 (SIGKILL)");
    }

    @Test
    void onExitComesInTimeWhenTheCommonPoolIsBusy() {
        VirtualMachine machine = launch("");
        CompletableFuture<Void> busy = new CompletableFuture<>();
        try {
            for (int i = 0; i < 512; i++) {
                var unused = CompletableFuture.runAsync(busy::join);
            }
            assertThat(ProcessHandle.of(machine.process().pid()).orElseThrow().destroyForcibly())
                    .isTrue();
            assertThat(machine.onExit()).succeedsWithin(1, TimeUnit.SECONDS);
        } finally {
            busy.complete(null);
        }
    }

    @Test
    void onExitQuotesAPanic() {
        VirtualMachine machine = launch("panic");
        assertThat(machine.onExit())
                .succeedsWithin(60, TimeUnit.SECONDS)
                .asString()
                .startsWith("guest panicked: ")
                .contains("Kernel panic - not syncing: Attempted to kill init!");
        assertDead(machine.process().pid());
        machine.stop(seconds(1));
    }

    @Test
    void onExitTellsOfAGuestThatPoweredOff() {
        VirtualMachine machine = launch("poweroff");
        assertThat(machine.onExit()).succeedsWithin(60, TimeUnit.SECONDS).isEqualTo("guest powered off");
        assertThat(machine.diagnostics().events()).anyMatch(event -> event.contains("SHUTDOWN"));
    }

    @Test
    void aFloodedConsoleIsBoundedAndLeavesTheMachineUsable() throws Exception {
        Path disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
        VirtualMachine machine = launch("flood");
        awaitConsole(machine, "GUEST READY");
        await().atMost(Duration.ofSeconds(60))
                .until(() -> !machine.diagnostics().consoleTail().contains("GUEST READY"));
        String tail = machine.diagnostics().consoleTail();
        assertThat(tail.length()).isBetween(1000, 64 << 10);
        assertThat(tail.chars().filter(c -> c < ' ' && c != '\n' && c != '\t')).isEmpty();
        machine.addDevice(new Device.Block("disk", disk, true), seconds(10));
        machine.stop(seconds(10));
        assertDead(machine.process().pid());
    }

    @Test
    void stopKillsAFrozenQemu() throws Exception {
        VirtualMachine machine = launch("");
        assertThat(new ProcessBuilder(
                                "kill", "-STOP", Long.toString(machine.process().pid()))
                        .start()
                        .waitFor())
                .isZero();
        machine.stop(seconds(4));
        assertDead(machine.process().pid());
        assertThat(machine.onExit()).succeedsWithin(1, TimeUnit.SECONDS);
    }

    @Test
    void stopKillsWhenItIsInterruptedAndWhenItsDeadlineHasPassed() {
        VirtualMachine interrupted = launch("");
        Thread.currentThread().interrupt();
        interrupted.stop(seconds(10));
        assertThat(Thread.interrupted()).isTrue();
        assertDead(interrupted.process().pid());

        VirtualMachine late = launch("");
        late.stop(Deadline.after(Duration.ZERO));
        assertDead(late.process().pid());
    }

    @Test
    void stopMayBeCalledBySeveralThreads() {
        VirtualMachine machine = launch("");
        CompletableFuture<?>[] stops = new CompletableFuture<?>[4];
        for (int i = 0; i < stops.length; i++) {
            stops[i] = CompletableFuture.runAsync(() -> machine.stop(seconds(10)), task -> new Thread(task).start());
        }
        assertThat(CompletableFuture.allOf(stops)).succeedsWithin(10, TimeUnit.SECONDS);
        assertDead(machine.process().pid());
    }
}
