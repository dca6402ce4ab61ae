// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.testkit.Leaks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The hypervisor is killed while the engine is in each of its phases: a typed error or none, and nothing is left. */
@Tag("vm")
@Timeout(120)
class KilledAtEachPhaseVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;
    private Path disk;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
        fixture.vc.prepare(RootFs.directory(fixture.rootfs));
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "hypervisor.launch",
                "agent.connect",
                "sandbox.create",
                "device.attach",
                "container.create",
                "container.start",
                "container.remove",
                "device.detach",
                "sandbox.destroy",
                "hypervisor.stop"
            })
    void nothingIsLeftOfASandboxWhoseHypervisorIsKilledIn(String phase) throws Exception {
        fixture.sandbox("warm-up").delete();
        disk = Files.write(directory.resolve("disk"), new byte[1 << 20]);
        Leaks before = Leaks.snapshot(fixture.state.resolve("sandboxes"));
        Sandbox sandbox = fixture.vc.create(
                SandboxConfig.builder("s").memory(MemorySize.mib(256)).build());
        CompletableFuture<Void> killed = CompletableFuture.runAsync(() -> killIn(sandbox, phase));
        String outcome = "survived it";
        try {
            live(sandbox);
        } catch (VirtException e) {
            outcome = e.getClass().getSimpleName();
            assertThat(e)
                    .isInstanceOfAny(
                            VmDiedException.class, HypervisorException.class, IllegalTransitionException.class);
        }
        killed.get(60, TimeUnit.SECONDS);
        assertThat(outcome).isNotEmpty();
        sandbox.close();
        assertThat(VmFixture.processesWith("-pidfile " + fixture.state)).isEmpty();
        Leaks.none(before, "thread agent-", "thread virtcontainers-");
    }

    private void live(Sandbox sandbox) {
        sandbox.start();
        Container container = fixture.container(sandbox, "c", "sleep", "1000");
        container.start();
        container.delete();
        // Only for what outlives the machine the guest is asked to end in order.
        String unused = sandbox.addDevice(new Device.Block("disk", disk, /* readOnly= */ false));
        sandbox.stop();
    }

    private void killIn(Sandbox sandbox, String phase) {
        while (sandbox.timeline().phases().stream()
                .noneMatch(reached -> reached.name().equals(phase))) {
            Thread.onSpinWait();
        }
        long end = System.nanoTime() + Duration.ofSeconds(5).toNanos();
        List<Long> hypervisors = List.of();
        while (hypervisors.isEmpty() && System.nanoTime() < end) { // at its launch it may come a little later
            hypervisors = VmFixture.processesWith("-pidfile " + fixture.state);
        }
        hypervisors.forEach(pid -> ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly));
    }
}
