// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
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
}
