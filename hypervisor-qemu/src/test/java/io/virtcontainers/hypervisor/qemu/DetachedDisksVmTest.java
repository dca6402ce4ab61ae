// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.NO_PHASES;
import static io.virtcontainers.hypervisor.qemu.TestGuest.awaitConsole;
import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.virtcontainers.Device;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.VirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Disks that one process plugs in and another removes, with two hypervisors for the two processes. */
@Tag("vm")
@Timeout(120)
class DetachedDisksVmTest {
    @TempDir
    static Path shared;

    @TempDir
    Path directory;

    private QemuHypervisor owner;
    private QemuHypervisor other;
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private Path disk;
    private VirtualMachine launched;
    private VirtualMachine attached;

    @BeforeEach
    void launch() throws IOException {
        owner = new QemuHypervisor(shared);
        other = new QemuHypervisor(shared);
        disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
        launched = owner.launch(TestGuest.config(directory, TestGuest.image(shared), "", true), NO_PHASES, seconds(20));
        attached = other.attach("demo", directory, HypervisorConfig.defaults(), launched.process(), seconds(5));
        awaitConsole(launched, "GUEST READY");
    }

    @AfterEach
    void close() {
        launched.stop(seconds(10));
        owner.close();
        other.close();
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
    }

    /** As a process does that dies before its next step. */
    private void execute(String command, Map<String, ?> arguments) {
        ControlSocket control = new ControlSocket(new SandboxFiles(directory).controlSocket(), loops.next());
        var unused = control.call(seconds(5), qmp -> qmp.execute(command, arguments, seconds(5)));
    }

    @Test
    void eachProcessSeesTheOthersSlotsAndIds() {
        assertThat(attached.addDevice(new Device.Block("a", disk, true), seconds(5)))
                .isEqualTo("02/01");
        assertThat(launched.addDevice(new Device.Block("b", disk, true), seconds(5)))
                .isEqualTo("02/02");
        assertThat(attached.addDevice(new Device.Block("c", disk, true), seconds(5)))
                .isEqualTo("02/03");
        assertThatThrownBy(() -> launched.addDevice(new Device.Block("a", disk, true), seconds(5)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("a is plugged in already");
        awaitConsole(launched, "01:01.0=vda 0000:00:02.0/0000:01:02.0=vdb 0000:00:02.0/0000:01:03.0=vdc.");

        attached.removeDevice("b", seconds(20));
        launched.removeDevice("a", seconds(20));
        attached.removeDevice("a", seconds(20));
        awaitConsole(launched, "DISKS: 0000:00:02.0/0000:01:03.0=vdc.");

        assertThat(launched.addDevice(new Device.Block("b", disk, true), seconds(5)))
                .isEqualTo("02/01");
        assertThat(attached.addDevice(new Device.Block("a", disk, true), seconds(5)))
                .isEqualTo("02/02");
        launched.removeDevice("c", seconds(20));
    }

    @Test
    void whatACallCutShortLeftIsRemovedByTheNext() {
        DeviceNames names = new DeviceNames("cut");
        Map<String, ?> node =
                Map.of("driver", "file", "node-name", names.host(), "filename", disk.toString(), "read-only", true);
        execute("blockdev-add", node);
        assertThatThrownBy(() -> launched.addDevice(new Device.Block("cut", disk, true), seconds(5)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("a part of it; remove it first");
        launched.removeDevice("cut", seconds(5));

        assertThat(launched.addDevice(new Device.Block("cut", disk, true), seconds(5)))
                .isEqualTo("02/01");
        awaitConsole(launched, "01:01.0=vda.");
        execute("device_del", Map.of("id", names.device(Plug.Bus.PCI, 1)));
        attached.removeDevice("cut", seconds(20));
        awaitConsole(launched, "DISKS:.");
        attached.removeDevice("cut", seconds(5));
        assertThat(attached.addDevice(new Device.Block("cut", disk, false), seconds(5)))
                .isEqualTo("02/01");
    }
}
