// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.SOON;
import static io.virtcontainers.VmFixture.output;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.testkit.EventQueue;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What happens to a virtual machine without being asked for: its sandbox tells it, and ends cleanly. */
@Tag("vm")
@Timeout(120)
class MachineEventsInSandboxVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;
    private final EventQueue events = new EventQueue();

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
    }

    @AfterEach
    void close() throws IOException {
        fixture.vc.cleanup("events");
        fixture.close();
    }

    private Sandbox run(SandboxConfig.Builder config) {
        Sandbox sandbox = fixture.vc.run(config.memory(MemorySize.mib(256)).build());
        sandbox.events().subscribe(events);
        return sandbox;
    }

    @Test
    void aPanicOfTheGuestEndsTheSandboxWithItsWords() {
        Sandbox sandbox = run(SandboxConfig.builder("events")
                .hypervisor(HypervisorConfig.builder()
                        .kernelParameters("sysctl.vm.panic_on_oom=2")
                        .build()));
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(RootFs.directory(fixture.rootfs))
                .command("sh", "-c", "tail /dev/zero")
                .resources(Resources.builder().memoryLimit(MemorySize.mib(32)).build())
                .build());
        container.start();
        assertThat(events.next(SandboxEvent.GuestPanicked.class, SOON).sandbox())
                .isEqualTo("events");
        assertThat(events.next(SandboxEvent.VmEnded.class, SOON).reason())
                .startsWith("guest panicked: ")
                .contains("Out of memory");
        assertThat(sandbox.status().state()).isEqualTo(State.STOPPED);
        assertThat(container.state()).isEqualTo(State.STOPPED);
    }

    @Test
    void aStopOverQmpBySomebodyElsePausesTheSandbox() throws IOException {
        Sandbox sandbox = run(SandboxConfig.builder("events").detached(true));
        Path control = fixture.sandboxFiles().stream()
                .filter(path -> path.endsWith("control.sock"))
                .findFirst()
                .orElseThrow();
        qmp(control, "stop");
        assertThat(events.next(SandboxEvent.StateChanged.class, SOON))
                .isEqualTo(new SandboxEvent.StateChanged(
                        "events", Optional.empty(), State.RUNNING, State.PAUSED, "halted by somebody else"));
        assertThat(sandbox.status().state()).isEqualTo(State.PAUSED);
        qmp(control, "cont");
        assertThat(events.next(SandboxEvent.StateChanged.class, SOON).to()).isEqualTo(State.RUNNING);
        assertThat(output(fixture.container(sandbox, "c", "echo", "on"))).isEqualTo("on\n");
    }

    private static void qmp(Path socket, String command) throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            String both = "{\"execute\": \"qmp_capabilities\"}\n{\"execute\": \"" + command + "\", \"id\": \"done\"}\n";
            channel.write(ByteBuffer.wrap(both.getBytes(UTF_8)));
            StringBuilder answers = new StringBuilder();
            ByteBuffer bytes = ByteBuffer.allocate(4096);
            while (answers.indexOf("\"done\"") < 0 && channel.read(bytes.clear()) >= 0) {
                answers.append(UTF_8.decode(bytes.flip()));
            }
        }
    }

    @Test
    void aDeletedImageOfADiskGoesOnAndATruncatedOneIsATypedError() throws IOException {
        Path image = directory.resolve("rootfs.erofs");
        Files.copy(RealBackends.rootfsImage(fixture.rootfs), image);
        Files.setPosixFilePermissions(image, PosixFilePermissions.fromString("rw-------"));
        Sandbox sandbox = run(SandboxConfig.builder("events"));
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(RootFs.image(image))
                .command("sleep", "1000")
                .build());
        container.start();
        try (FileChannel open = FileChannel.open(image, StandardOpenOption.WRITE)) {
            Files.delete(image);
            assertThat(output(container.exec(ProcessConfig.of("ls", "-d", "/bin"))))
                    .isEqualTo("/bin\n");
            open.truncate(0);
        }
        // What the guest has not read yet is gone now: its kernel finds no file system there.
        assertThatThrownBy(() -> container.exec(ProcessConfig.of("sh", "-c", "true")))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("Structure needs cleaning");
        sandbox.stop();
        assertThat(sandbox.status().state()).isEqualTo(State.STOPPED);
        assertThat(events.next(SandboxEvent.VmEnded.class, SOON).reason()).isEqualTo("stopped");
    }
}
