// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.GuestRoot;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Boots what this module makes of the host's kernel and crun, in QEMU without KVM. */
@Tag("vm")
final class GuestImageVmTest {
    @TempDir
    private Path folder;

    private final TestHost.RecordedPhases phases = new TestHost.RecordedPhases();

    /** The kernel is where `make setup` puts it; the images go elsewhere. */
    private Path kernel;

    @BeforeEach
    void findKernel() throws IOException {
        Map<String, String> environment = System.getenv();
        Path caches = Path.of(environment.getOrDefault("XDG_CACHE_HOME", System.getProperty("user.home") + "/.cache"));
        Path cache = Optional.ofNullable(environment.get("VIRTCONTAINERS_CACHE"))
                .map(Path::of)
                .orElse(caches.resolve("virtcontainers"));
        kernel = new KernelFinder(Host.local(), cache).find(Optional.empty()).path();
    }

    private GuestImage image(byte[] agent) throws IOException {
        Path file = Files.write(folder.resolve("agent"), agent);
        Host local = Host.local();
        Host host = new Host(
                local.environment(),
                local.bootDirectory(),
                local.moduleRoots(),
                local.architecture(),
                Optional.of(TestHost.url(file)),
                local.root(),
                local.clock());
        return new CachedGuestImages(new ImageCache(folder.resolve("cache")), host)
                .guestImage(Optional.of(kernel), GuestRoot.builtIn(), phases, Deadline.after(Duration.ofSeconds(60)));
    }

    private List<String> command(GuestImage image, String... devices) {
        List<String> command = new ArrayList<>(List.of(
                "qemu-system-x86_64",
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-no-reboot",
                "-M",
                "q35",
                "-accel",
                "tcg",
                "-cpu",
                "max,-la57,-erms",
                "-m",
                "256",
                "-bios",
                "qboot.rom",
                "-kernel",
                image.kernel().toString(),
                "-initrd",
                image.initrd().orElseThrow().toString(),
                "-append",
                "console=ttyS0 quiet panic=-1 cryptomgr.notests noreplace-smp init_on_alloc=0 no_timer_check",
                "-serial",
                "file:" + folder.resolve("console")));
        command.addAll(List.of(devices));
        return command;
    }

    /** Runs the guest to its end; what it wrote to its console. */
    private String boot(GuestImage image) throws IOException {
        ChildProcess.Result result =
                ChildProcess.run(command(image), Map.of(), Deadline.after(Duration.ofSeconds(60)), "the guest's end");
        assertThat(result.exitCode()).as(result.output()).isZero();
        return Files.readString(folder.resolve("console"));
    }

    @Test
    void theKernelReachesInitAndTakesAllModulesInTheirOrder() throws IOException {
        Map<String, byte[]> entries =
                GuestImageBuilderTest.entries(image(new byte[] {1}).initrd().orElseThrow());
        TinyInit init = new TinyInit().print("in userspace\n");
        for (String list : new String[] {"boot", "later"}) {
            List<String> modules = GuestImageBuilderTest.text(entries, "/etc/virtcontainers/modules." + list)
                    .lines()
                    .toList();
            assertThat(modules).isNotEmpty();
            modules.forEach(init::load);
        }
        String console = boot(image(init.print("all loaded\n").reboot().build()));
        assertThat(console).contains("in userspace", "all loaded").doesNotContain("REFUSED");
    }

    @Test
    void crunRunsInTheGuestWithItsLibraries() throws IOException {
        GuestImage image = image(new TinyInit()
                .mount("proc", "/proc")
                .exec("/usr/bin/crun", "--version")
                .build());
        String console = boot(image);
        assertThat(console).contains("crun version", "+SECCOMP").doesNotContain("error while loading");
    }

    @Test
    void theAgentOfTheJarAnswersOnItsPort() throws IOException, InterruptedException {
        GuestImage image = new CachedGuestImages(new ImageCache(folder.resolve("cache")), Host.local())
                .guestImage(Optional.of(kernel), GuestRoot.builtIn(), phases, Deadline.after(Duration.ofSeconds(60)));
        Path socket = folder.resolve("agent.sock");
        Process qemu = new ProcessBuilder(command(
                        image,
                        "-device",
                        "virtio-serial-pci",
                        "-chardev",
                        "socket,id=p0,server=on,wait=off,path=" + socket,
                        "-device",
                        "virtserialport,chardev=p0,name=agent.channel.0"))
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("qemu.log").toFile())
                .start();
        try {
            Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> Files.exists(socket));
            try (SocketChannel agent = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
                // How every HTTP/2 client begins: the preface and an empty SETTINGS frame.
                agent.write(ByteBuffer.wrap(
                        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1)));
                agent.configureBlocking(false);
                ByteBuffer frame = ByteBuffer.allocate(9);
                Awaitility.await()
                        .atMost(Duration.ofSeconds(60))
                        .failFast("the guest ended", () -> !qemu.isAlive())
                        .until(() -> agent.read(frame) >= 0 && !frame.hasRemaining());
                assertThat(frame.get(3))
                        .as("the type of the server's first frame: SETTINGS")
                        .isEqualTo((byte) 4);
            }
        } finally {
            assertThat(qemu.destroyForcibly().waitFor(10, TimeUnit.SECONDS)).isTrue();
        }
    }
}
