// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.SOON;
import static io.virtcontainers.VmFixture.output;
import static io.virtcontainers.VmFixture.processesWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The life of sandboxes: what ends them, and that nothing is left. */
@Tag("vm")
class SandboxVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        fixture.vc.close();
        assertThat(processesWith(fixture.state.toString())).isEmpty();
        assertThat(fixture.sandboxFiles()).isEmpty();
        fixture.close();
    }

    @Test
    void runsOneCommandInOneStatement() {
        CommandResult result = fixture.vc.runCommand(
                RootFs.directory(fixture.rootfs),
                ProcessConfig.of("sh", "-c", "cat; echo out; echo err >&2; exit 42"),
                SOON);
        assertThat(result.exitCode()).isEqualTo(42);
        assertThat(result.stdout()).isEqualTo("out\n");
        assertThat(result.stderr()).isEqualTo("err\n");
        assertThat(result.timeline().phases())
                .extracting(Timeline.Phase::name)
                .contains("hypervisor.launch", "agent.connect", "container.create", "container.start");
    }

    @Test
    void killingTheHypervisorFailsTheCallerWithinASecond() throws Exception {
        Sandbox sandbox = fixture.sandbox("victim");
        Container container = fixture.container(sandbox, "c", "sleep", "1000");
        container.start();
        long qemu = processesWith(fixture.state + "/sandboxes/victim").get(0);
        ProcessHandle.of(qemu).orElseThrow().destroyForcibly();
        long killed = System.nanoTime();
        assertThatThrownBy(() -> container.process().waitFor(SOON))
                .isInstanceOf(VmDiedException.class)
                .hasMessageContaining("victim")
                .hasMessageContaining("signal 9");
        assertThat(Duration.ofNanos(System.nanoTime() - killed)).isLessThan(Duration.ofSeconds(1));
        assertThat(sandbox.state()).isEqualTo(State.STOPPED);
        assertThat(container.state()).isEqualTo(State.STOPPED);
        assertThatThrownBy(() -> fixture.container(sandbox, "d", "true"))
                .isInstanceOf(IllegalTransitionException.class);
        sandbox.delete();
        fixture.sandbox("victim").delete();
    }

    @Test
    void aGuestThatPanicsSaysSo() {
        SandboxConfig config = SandboxConfig.builder("panic")
                .hypervisor(HypervisorConfig.builder()
                        .kernelParameters("rdinit=/nonexistent")
                        .build())
                .build();
        assertThatThrownBy(() -> fixture.vc.run(config))
                .isInstanceOf(VmDiedException.class)
                .satisfies(e -> assertThat(((VirtException) e).diagnostics().consoleTail())
                        .contains("Kernel panic"));
    }

    @Test
    void aGuestThatHangsEndsAtTheDeadline() {
        // After its panic the kernel waits instead of rebooting: nothing happens any more.
        SandboxConfig config = SandboxConfig.builder("hang")
                .hypervisor(HypervisorConfig.builder()
                        .kernelParameters("rdinit=/nonexistent", "panic=1000000")
                        .build())
                .bootDeadline(Duration.ofSeconds(5))
                .build();
        long start = System.nanoTime();
        assertThatThrownBy(() -> fixture.vc.run(config))
                .isInstanceOf(DeadlineExceededException.class)
                .satisfies(e -> assertThat(((VirtException) e).diagnostics().consoleTail())
                        .contains("Kernel panic"));
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(20));
    }

    @Test
    void aKernelThatIsNoneIsRefused() throws IOException {
        Path garbage = Files.write(directory.resolve("vmlinuz"), new byte[100_000]);
        SandboxConfig config = SandboxConfig.builder("garbage")
                .hypervisor(HypervisorConfig.builder().kernel(garbage).build())
                .build();
        assertThatThrownBy(() -> fixture.vc.run(config))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining(garbage.toString());
    }

    @Test
    void aMissingHypervisorIsNamedWithTheRemedy() {
        SandboxConfig config = SandboxConfig.builder("no-qemu")
                .hypervisor(HypervisorConfig.builder()
                        .binary(Path.of("/nonexistent/qemu"))
                        .build())
                .build();
        assertThatThrownBy(() -> fixture.vc.run(config))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("/nonexistent/qemu")
                .hasMessageContaining("qemu-system-x86");
    }

    @Test
    void aMissingRootFileSystemIsNamed() {
        try (Sandbox sandbox = fixture.sandbox("demo")) {
            ContainerConfig config = ContainerConfig.builder("c")
                    .rootfs(RootFs.directory(Path.of("/nonexistent/rootfs")))
                    .command("true")
                    .build();
            assertThatThrownBy(() -> sandbox.createContainer(config))
                    .isInstanceOf(InvalidConfigException.class)
                    .hasMessageContaining("/nonexistent/rootfs");
            assertThat(sandbox.state()).isEqualTo(State.RUNNING);
        }
    }

    @Test
    void repeatedUseLeaksNoDescriptorsThreadsOrFiles() throws IOException {
        cycle();
        long descriptors = descriptors();
        int threads = Thread.getAllStackTraces().size();
        for (int i = 0; i < 5; i++) {
            cycle();
        }
        await().atMost(SOON).pollInSameThread().untilAsserted(() -> {
            assertThat(descriptors()).as("descriptors").isLessThanOrEqualTo(descriptors);
            assertThat(Thread.getAllStackTraces().size())
                    .as("threads: %s", Thread.getAllStackTraces().keySet())
                    .isLessThanOrEqualTo(threads);
        });
    }

    private void cycle() throws IOException {
        try (Sandbox sandbox = fixture.sandbox("cycle")) {
            assertThat(output(fixture.container(sandbox, "c", "echo", "x"))).isEqualTo("x\n");
        }
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.count();
        }
    }

    @Test
    void killingTheJavaProcessLeavesNoHypervisorAndTheNextOpenNoFiles() throws Exception {
        for (int round = 1; round <= 20; round++) {
            String id = "orphan-" + round;
            Process java = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:TieredStopAtLevel=1",
                            "-XX:+UseSerialGC",
                            "-Dlogback.configurationFile=" + System.getProperty("logback.configurationFile"),
                            "-cp",
                            System.getProperty("java.class.path"),
                            OrphanMaker.class.getName(),
                            fixture.state.toString(),
                            id,
                            fixture.rootfs.toString())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try (BufferedReader out =
                    new BufferedReader(new InputStreamReader(java.getInputStream(), StandardCharsets.UTF_8))) {
                assertThat(out.readLine()).isEqualTo("running");
                String sandboxDirectory = fixture.state + "/sandboxes/" + id;
                assertThat(processesWith(sandboxDirectory)).isNotEmpty();
                java.destroyForcibly();
                await().atMost(Duration.ofSeconds(2))
                        .pollInterval(Duration.ofMillis(20))
                        .untilAsserted(() ->
                                assertThat(processesWith(sandboxDirectory)).isEmpty());
                assertThat(java.waitFor(10, TimeUnit.SECONDS)).isTrue();
            }
            try (VirtContainers next =
                    VirtContainers.builder().stateDirectory(fixture.state).open()) {
                assertThat(next.sandboxes()).isEmpty();
                assertThat(fixture.sandboxFiles()).isEmpty();
            }
        }
    }
}
