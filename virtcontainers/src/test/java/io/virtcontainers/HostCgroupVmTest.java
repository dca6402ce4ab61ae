// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The hypervisor in a control group of the host, of the version that this host has. */
@Tag("vm")
@Timeout(120)
class HostCgroupVmTest {
    private static final String PARENT = "/vctest-" + ProcessHandle.current().pid();
    private static final Path MOUNT = Path.of("/sys/fs/cgroup");
    private static final boolean UNIFIED = Files.exists(MOUNT.resolve("cgroup.controllers"));

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
        assertThat(groups("demo")).isEmpty();
        for (Path parent : groups("")) {
            Files.delete(parent);
        }
    }

    private static List<Path> groups(String name) throws IOException {
        String path = (PARENT + "/" + name).substring(1);
        try (Stream<Path> controllers = Files.list(MOUNT)) {
            return Stream.concat(Stream.of(MOUNT), controllers)
                    .map(controller -> controller.resolve(path))
                    .filter(Files::isDirectory)
                    .toList();
        }
    }

    private Sandbox run(HostCgroup group) {
        return fixture.vc.run(SandboxConfig.builder("demo")
                .memory(MemorySize.mib(256))
                .hypervisor(HypervisorConfig.builder()
                        .machine(MachineConfig.builder().maxVcpus(2).build())
                        .build())
                .cgroup(group)
                .build());
    }

    private static String groupsOf(Path process) throws IOException {
        return Files.readString(process.resolve("cgroup"));
    }

    /** A line of proc(5)'s cgroup file for a group below ours. */
    private static String line(String controller, String below) {
        return (UNIFIED ? "0:" : controller) + ":" + PARENT + "/demo" + below + "\n";
    }

    private static Path file(String controller, String below, String old, String unified) {
        String group = PARENT + "/demo";
        return UNIFIED
                ? MOUNT.resolve(group.substring(1) + below + "/" + unified)
                : MOUNT.resolve(controller + group + "/" + old);
    }

    private static Resources limits() {
        return Resources.builder()
                .cpuQuotaMicros(90_000)
                .cpuShares(512)
                .memoryLimit(MemorySize.mib(700))
                .pidsLimit(200)
                .build();
    }

    private Path processOf(Sandbox sandbox) {
        return Path.of(
                "/proc",
                Long.toString(sandbox.status().hypervisor().orElseThrow().pid()));
    }

    @Test
    void theWholeHypervisorIsInItAndItGoesWithTheSandbox() throws IOException {
        Sandbox sandbox = run(new HostCgroup(PARENT + "/demo", false, limits()));
        Container container = fixture.container(sandbox, "c", "sleep", "1000");
        container.start();
        Path process = processOf(sandbox);
        try (Stream<Path> threads = Files.list(process.resolve("task"))) {
            for (Path thread : threads.toList()) {
                assertThat(groupsOf(thread)).contains(line("cpu", ""), line("memory", ""));
            }
        }
        assertThat(Files.readString(file("cpu", "", "cpu.cfs_quota_us", "cpu.max")))
                .startsWith("90000");
        assertThat(file("memory", "", "memory.limit_in_bytes", "memory.max")).hasContent(Long.toString(700L << 20));
        assertThatThrownBy(() -> fixture.vc.run(SandboxConfig.builder("second")
                        .cgroup(new HostCgroup(PARENT + "/demo", false, limits()))
                        .build()))
                .isInstanceOf(AlreadyExistsException.class)
                .hasMessageContaining("give each sandbox one of its own");
        assertThat(output(container.exec(ProcessConfig.of("echo", "alive")))).isEqualTo("alive\n");
        sandbox.stop();
        assertThat(groups("demo")).isEmpty();
        sandbox.start();
        assertThat(groups("demo")).isNotEmpty();
        sandbox.delete();
    }

    @Test
    void onlyTheVirtualProcessorsAreLimitedAlsoThoseThatComeLater() throws IOException {
        Sandbox sandbox = run(new HostCgroup(PARENT + "/demo", true, limits()));
        Path process = processOf(sandbox);
        assertThat(groupsOf(process)).contains(line("memory", ""));
        if (!UNIFIED) {
            assertThat(groupsOf(process)).doesNotContain(line("cpu", ""));
        }
        Path tasks = file("cpu", "/vcpus", "tasks", "cgroup.threads");
        assertThat(Files.readAllLines(tasks)).hasSize(1);
        sandbox.resize(2, MemorySize.mib(256));
        assertThat(Files.readAllLines(tasks)).hasSize(2);
        for (String thread : Files.readAllLines(tasks)) {
            assertThat(process.resolve("task").resolve(thread)).exists();
        }
    }
}
