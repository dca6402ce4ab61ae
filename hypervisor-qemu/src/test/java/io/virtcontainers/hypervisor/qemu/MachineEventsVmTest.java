// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.NO_PHASES;
import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.Device;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.MachineType;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmEvent;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What QEMU tells of its own accord. */
@Tag("vm")
class MachineEventsVmTest {
    private static final Duration SOON = Duration.ofSeconds(60);

    @TempDir
    static Path shared;

    static GuestImage image;

    @TempDir
    Path directory;

    private QemuHypervisor hypervisor;
    private final BlockingQueue<VmEvent> events = new LinkedBlockingQueue<>();

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

    private VirtualMachine launch(String test, MachineType type) {
        HypervisorConfig settings =
                TestGuest.settings().machine(MachineConfig.of(type)).build();
        VirtualMachine machine =
                hypervisor.launch(TestGuest.config(directory, image, test, false, settings), NO_PHASES, seconds(20));
        machine.onEvent(events::add);
        return machine;
    }

    private VmEvent next() throws InterruptedException {
        VmEvent event = events.poll(SOON.toSeconds(), TimeUnit.SECONDS);
        return event == null ? new VmEvent.Resumed() : event;
    }

    @ParameterizedTest
    @EnumSource(names = {"Q35", "PC"})
    void aPanicOfTheGuestIsToldAndEndsTheMachine(MachineType type) throws Exception {
        VirtualMachine machine = launch("panic", type);
        assertThat(next()).isEqualTo(new VmEvent.GuestPanicked());
        assertThat(machine.onExit())
                .succeedsWithin(SOON)
                .asString()
                .startsWith("guest panicked: ")
                .contains("Attempted to kill init!");
    }

    @Test
    void aFullDiskIsToldWithItsIdAndTheHostsReasonButNotForEachWrite() throws Exception {
        Path small = directory.resolve("small");
        List<String> mount = new ArrayList<>(List.of("unshare", "--mount"));
        if (!Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0)) {
            mount.addAll(List.of("--user", "--map-root-user"));
        }
        mount.addAll(List.of(
                "sh",
                "-c",
                "mkdir $0 && mount -t tmpfs -o size=1m small $0 && echo mounted && exec cat",
                small.toString()));
        Process holder = new ProcessBuilder(mount).start();
        try {
            assertThat(holder.inputReader().readLine()).isEqualTo("mounted");
            // The file system is seen by its holder only, and through it.
            Path disk = Path.of("/proc/" + holder.pid() + "/root" + small + "/disk");
            try (RandomAccessFile sparse = new RandomAccessFile(disk.toFile(), "rw")) {
                sparse.setLength(64 << 20);
                sparse.seek(0);
                sparse.write(new byte[1000 << 10]);
            }
            VirtualMachine machine = launch("fill", MachineType.Q35);
            String unused = machine.addDevice(new Device.Block("data", disk, false), seconds(10));
            VmEvent.DiskError error = new VmEvent.DiskError("data", true, "No space left on device");
            assertThat(next()).isEqualTo(error);
            assertThat(machine.isPaused(seconds(5))).isFalse();
            // The guest repeats it all the time.
            assertThat(next()).isEqualTo(error);
            assertThat(events).hasSizeLessThan(3);
            machine.stop(seconds(10));
            assertThat(machine.onExit()).succeedsWithin(SOON).isEqualTo("stopped");
        } finally {
            holder.destroy();
            assertThat(holder.waitFor(10, TimeUnit.SECONDS)).isTrue();
        }
    }
}
