// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.allOutput;
import static io.virtcontainers.VmFixture.output;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Devices that are plugged into a running sandbox, as its containers see them. */
@Tag("vm")
@Timeout(180)
class HotplugVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    private Sandbox sandbox(HypervisorConfig settings) {
        return fixture.vc.run(SandboxConfig.builder("plug")
                .memory(MemorySize.mib(256))
                .hypervisor(settings)
                .build());
    }

    /** As it sees the devices of the guest, with all rights. */
    private Container privileged(Sandbox sandbox) {
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(RootFs.directory(fixture.rootfs))
                .command("sleep", "100000")
                .spec("""
                        {"ociVersion": "1.0.2", "linux": {
                          "resources": {"devices": [{"allow": true, "access": "rwm"}]},
                          "namespaces": [{"type": "mount"}, {"type": "pid"}, {"type": "ipc"}]},
                         "mounts": [
                          {"destination": "/proc", "type": "proc", "source": "proc"},
                          {"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind", "rw"]},
                          {"destination": "/sys", "type": "sysfs", "source": "sysfs"}]}
                        """)
                .build());
        container.start();
        return container;
    }

    @Test
    void disksAndCardsComeAndGoFiftyTimesWithoutALostSlot() throws IOException {
        Path image = Files.write(directory.resolve("disk.img"), new byte[1 << 20]);
        Sandbox sandbox = sandbox(HypervisorConfig.defaults());
        Container container = fixture.container(sandbox, "c", "sleep", "100000");
        container.start();
        Set<String> addresses = new HashSet<>();
        for (int round = 0; round < 50; round++) {
            addresses.add(sandbox.addDevice(new Device.Block("disk", image, round % 2 == 0)));
            assertThat(sandbox.addDevice(new Device.UserNetwork("card", List.of())))
                    .isEqualTo("eth0");
            sandbox.removeDevice("card");
            sandbox.removeDevice("disk");
        }
        assertThat(addresses).hasSize(1);
        assertThat(allOutput(container, "ls /sys/class/net")).isEqualTo("lo");
        assertThat(sandbox.interfaces()).hasSize(1);
        assertThat(allOutput(container, "ls /sys/block | grep -c vd")).isEqualTo("1"); // its root file system
    }

    @Test
    void aDiskOfAnotherProgramIsPluggedIn() throws Exception {
        Path image = Files.write(directory.resolve("disk.img"), "of the daemon\n".getBytes(US_ASCII));
        Files.write(image, new byte[1 << 20], java.nio.file.StandardOpenOption.APPEND);
        Path socket = fixture.state.resolve("vhost.sock");
        Process daemon = new ProcessBuilder(
                        "qemu-storage-daemon",
                        "--blockdev",
                        "driver=file,node-name=disk,filename=" + image,
                        "--export",
                        "type=vhost-user-blk,id=export,node-name=disk,writable=on,addr.type=unix,addr.path=" + socket)
                .inheritIO()
                .start();
        try {
            while (!Files.exists(socket)) {
                assertThat(daemon.isAlive()).isTrue();
                TimeUnit.MILLISECONDS.sleep(20); // bounded by the test's timeout
            }
            Device disk = new Device.VhostUserBlock("disk", socket);
            try (Sandbox plain = sandbox(HypervisorConfig.defaults())) {
                assertThatThrownBy(() -> plain.addDevice(disk))
                        .isInstanceOf(UnsupportedException.class)
                        .hasMessageContaining("needs memory that is shared");
            }
            Sandbox sandbox = sandbox(HypervisorConfig.builder()
                    .memory(GuestMemoryConfig.builder().fileDirectory(directory).build())
                    .build());
            Container container = privileged(sandbox);
            assertThat(sandbox.addDevice(disk)).isEqualTo("02/02");
            assertThat(
                            allOutput(
                                    container,
                                    "i=0; until [ -b /dev/vdb ] || [ $i = 100 ]; do usleep 50000; i=$((i+1)); done;"
                                            + " head -n 1 /dev/vdb; echo of the guest | dd of=/dev/vdb conv=fsync,notrunc 2>/dev/null"))
                    .isEqualTo("of the daemon");
            sandbox.removeDevice("disk");
            assertThat(allOutput(container, "ls /dev/vdb")).contains("No such file");
            assertThat(Files.readAllBytes(image)).asString(US_ASCII).startsWith("of the guest\n\n".substring(0, 13));
            assertThatThrownBy(() -> sandbox.addDevice(new Device.VhostUserBlock("no", directory.resolve("none"))))
                    .isInstanceOf(HypervisorException.class)
                    .hasMessageContaining("none");
        } finally {
            daemon.destroy();
            int unused = daemon.waitFor();
        }
    }

    @Test
    void aSerialPortIsAStreamToASocketOfTheHost() throws IOException {
        Sandbox sandbox = sandbox(HypervisorConfig.defaults());
        Container container = privileged(sandbox);
        Path socket = fixture.state.resolve("port.sock");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            ServerSocketChannel unusedBound = server.bind(UnixDomainSocketAddress.of(socket));
            assertThat(sandbox.addDevice(new Device.SerialPort("log.0", socket)))
                    .isEqualTo("/dev/virtio-ports/log.0");
            try (SocketChannel host = server.accept()) {
                GuestProcess echo = container.exec(ProcessConfig.of(
                        "sh",
                        "-c",
                        "for p in /sys/class/virtio-ports/*; do [ \"$(cat $p/name)\" = log.0 ] && d=/dev/${p##*/}; done;"
                                + " exec 3<>$d; echo hello >&3; head -n 1 <&3"));
                assertThat(read(host, 6)).isEqualTo("hello\n");
                int unused = host.write(ByteBuffer.wrap("answer\n".getBytes(US_ASCII)));
                assertThat(output(echo)).isEqualTo("answer\n");
            }
            sandbox.removeDevice("log.0");
            assertThat(allOutput(container, "cat /sys/class/virtio-ports/*/name"))
                    .doesNotContain("log.0");
        }
        assertThat(fixture.state.resolve("port.sock")).exists(); // the caller's own
    }

    private static String read(SocketChannel channel, int bytes) throws IOException {
        ByteBuffer text = ByteBuffer.allocate(bytes);
        while (text.hasRemaining() && channel.read(text) >= 0) {
            // Until it is full.
        }
        return new String(text.array(), US_ASCII);
    }

    @Test
    void aPciDeviceThatIsNotThereIsATypedErrorAndCostsNoSlot() throws IOException {
        Path image = Files.write(directory.resolve("disk.img"), new byte[1 << 20]);
        Sandbox sandbox = sandbox(HypervisorConfig.defaults());
        assertThatThrownBy(() -> sandbox.addDevice(new Device.Vfio("gpu", "0000:fe:1f.7")))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("0000:fe:1f.7");
        assertThat(sandbox.addDevice(new Device.Block("disk", image, true))).isEqualTo("02/01");
        assertThatThrownBy(() -> new Device.Vfio("gpu", "01:00.0")).isInstanceOf(InvalidConfigException.class);
    }
}
