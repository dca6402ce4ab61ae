// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Processors and memory that are plugged in and out of a running machine, as its containers see them. */
@Tag("vm")
@Timeout(120)
class ResizeVmTest {
    private static final MemorySize SMALL = MemorySize.mib(256);
    private static final MemorySize LARGE = MemorySize.mib(512);

    @TempDir
    Path directory;

    private VmFixture fixture;
    private Sandbox sandbox;
    private Container container;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    private void run(MachineType type) {
        sandbox = fixture.vc.run(SandboxConfig.builder("resize")
                .memory(SMALL)
                .hypervisor(HypervisorConfig.builder()
                        .machine(MachineConfig.builder().type(type).maxVcpus(2).build())
                        .memory(GuestMemoryConfig.builder()
                                .max(MemorySize.mib(1024))
                                .build())
                        .build())
                .build());
        container = fixture.container(sandbox, "c", "sleep", "100000");
        container.start();
    }

    private String shell(String script) throws IOException {
        GuestProcess process = container.exec(ProcessConfig.of("sh", "-c", script));
        process.stdin().close();
        return output(process).strip();
    }

    private long guestMib() throws IOException {
        return Long.parseLong(shell("awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo"));
    }

    @ParameterizedTest
    @EnumSource(
            value = MachineType.class,
            names = {"Q35", "PC"})
    void aMachineGrowsAndShrinks(MachineType type) throws IOException {
        run(type);
        long small = guestMib();
        sandbox.resize(2, SMALL);
        assertThat(shell("nproc")).isEqualTo("2");
        for (int round = 0; round < 5; round++) {
            sandbox.resize(2, LARGE);
            assertThat(guestMib()).isBetween(small + 250, small + 256);
            sandbox.resize(2, SMALL);
            assertThat(guestMib()).isBetween(small - 5, small + 5);
        }
    }

    @Test
    void whatAMachineCannotBecomeIsRefused() throws IOException {
        run(MachineType.Q35);
        assertThatThrownBy(() -> sandbox.resize(3, SMALL))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("vcpus 3: this machine can have 1 to 2");
        assertThatThrownBy(() -> sandbox.resize(1, MemorySize.mib(300)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("must be a multiple of 128 MiB");
        assertThatThrownBy(() -> sandbox.resize(1, MemorySize.mib(128)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("memory goes back in the pieces in which it was plugged in");
        assertThatThrownBy(() -> sandbox.resize(1, MemorySize.mib(2048)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("cannot plug in memory");
        sandbox.resize(1, LARGE);
        assertThat(guestMib()).isGreaterThan(400);
    }

    @Test
    void anotherProcessObjectOfADetachedSandboxKnowsItsSize() throws IOException {
        Sandbox made = fixture.vc.run(SandboxConfig.builder("far")
                .memory(SMALL)
                .detached(true)
                .hypervisor(HypervisorConfig.builder()
                        .machine(MachineConfig.builder().maxVcpus(2).build())
                        .build())
                .build());
        try {
            made.resize(2, SMALL);
            made.close();
            sandbox = fixture.vc.sandbox("far");
            container = fixture.container(sandbox, "c", "sleep", "100000");
            container.start();
            assertThat(shell("nproc")).isEqualTo("2");
            assertThatThrownBy(() -> sandbox.resize(1, SMALL))
                    .isInstanceOf(UnsupportedException.class)
                    .hasMessageContaining("cannot be plugged out of an emulated machine (TCG)");
        } finally {
            fixture.vc.cleanup("far");
        }
    }

    @Test
    void theMachineFollowsTheLimitsOfItsContainers() throws IOException {
        run(MachineType.Q35);
        long small = guestMib();
        Container large = sandbox.createContainer(ContainerConfig.builder("large")
                .rootfs(RootFs.directory(fixture.rootfs))
                .command("sleep", "100000")
                .resources(Resources.builder()
                        .memoryLimit(MemorySize.mib(200))
                        .cpuQuotaMicros(50_000)
                        .build())
                .build());
        large.start();
        assertThat(guestMib()).isBetween(small + 250, small + 256);
        assertThat(shell("nproc")).isEqualTo("2");
        large.update(Resources.builder().memoryLimit(MemorySize.mib(300)).build());
        assertThat(guestMib()).isBetween(small + 378, small + 384);
        // More than the machine can have: it gets all there is.
        large.update(Resources.builder().memoryLimit(MemorySize.mib(4096)).build());
        assertThat(guestMib()).isBetween(small + 758, small + 768);
        large.delete();
        assertThat(guestMib()).isBetween(small - 5, small + 5);
    }

    private Sandbox withMemory(GuestMemoryConfig memory) {
        return fixture.vc.run(SandboxConfig.builder("resize")
                .memory(SMALL)
                .hypervisor(HypervisorConfig.builder().memory(memory).build())
                .build());
    }

    @Test
    void virtioMemoryGrowsAndShrinksByAnyAmount() throws IOException {
        sandbox = withMemory(GuestMemoryConfig.builder()
                .max(MemorySize.mib(1280))
                .virtioMem(true)
                .build());
        container = fixture.container(sandbox, "c", "sleep", "100000");
        container.start();
        long small = guestMib();
        for (int round = 0; round < 3; round++) {
            sandbox.resize(1, MemorySize.mib(256 + 512));
            assertThat(guestMib()).isBetween(small + 500, small + 512);
            sandbox.resize(1, MemorySize.mib(256 + 128));
            assertThat(guestMib()).isBetween(small + 120, small + 128);
        }
        sandbox.resize(1, SMALL);
        assertThat(guestMib()).isBetween(small - 5, small + 5);
        assertThatThrownBy(() -> sandbox.resize(1, MemorySize.mib(2048)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("0 to 1024 MiB can be plugged in");
    }

    /** What the guest frees comes back to the host, by the balloon's free page reporting. */
    @Test
    void freedMemoryComesBackToTheHost() throws Exception {
        sandbox = fixture.vc.run(SandboxConfig.builder("resize")
                .memory(MemorySize.mib(640))
                .hypervisor(HypervisorConfig.builder()
                        .memory(GuestMemoryConfig.builder().balloon(true).build())
                        .build())
                .build());
        container = fixture.container(sandbox, "c", "sleep", "100000");
        container.start();
        long before = residentMib();
        assertThat(shell("mkdir -p /t && dd if=/dev/urandom of=/t/x bs=1M count=200 2>/dev/null; stat -c %s /t/x"))
                .isEqualTo(Integer.toString(200 << 20));
        long full = residentMib();
        assertThat(full).isGreaterThan(before + 180);
        String unused = shell("rm /t/x");
        while (residentMib() > full - 150) {
            TimeUnit.MILLISECONDS.sleep(200); // the guest reports every two seconds; bounded by the test's timeout
        }
    }

    private long residentMib() throws IOException {
        return fixture.vc.sandbox("resize").status().hypervisor().stream()
                .mapToLong(process -> {
                    try (Stream<String> lines = Files.lines(Path.of("/proc", process.pid() + "", "status"))) {
                        return lines.filter(line -> line.startsWith("VmRSS"))
                                        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                                        .sum()
                                / 1024;
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                })
                .sum();
    }
}
