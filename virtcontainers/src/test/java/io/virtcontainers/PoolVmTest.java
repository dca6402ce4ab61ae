// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Pools of machines that are started ahead, and what is left when their process is killed. */
@Tag("vm")
@Timeout(180)
class PoolVmTest {
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

    private static SandboxConfig config(String id, long mib) {
        return SandboxConfig.builder(id)
                .memory(MemorySize.mib(mib))
                .template(true)
                .build();
    }

    @Test
    void leasesAreFreshAndOneThatDiedWhileItWasReadyIsNotGiven() throws Exception {
        try (SandboxPool pool = fixture.vc.pool(config("pool", 256), 2, 3)) {
            List<Sandbox> leased = new ArrayList<>();
            leased.add(pool.lease(VmFixture.SOON));
            while (pool.ready() < 2) {
                Thread.onSpinWait(); // bounded by the test's timeout
            }
            List<Long> ready = new ArrayList<>(VmFixture.processesWith(fixture.state + "/sandboxes/pool-"));
            ready.remove(leased.get(0).status().hypervisor().orElseThrow().pid());
            for (long pid : ready) {
                ProcessHandle.of(pid).orElseThrow().destroyForcibly();
                ProcessHandle.of(pid).ifPresent(dead -> dead.onExit().join());
            }
            leased.add(pool.lease(VmFixture.SOON));
            leased.add(pool.lease(VmFixture.SOON));
            for (Sandbox sandbox : leased) {
                assertThat(output(fixture.container(sandbox, "c", "echo", "hello")))
                        .isEqualTo("hello\n");
            }
            assertThat(leased).extracting(Sandbox::id).doesNotHaveDuplicates();
            leased.forEach(Sandbox::close);
        }
        assertThat(VmFixture.processesWith(fixture.state + "/sandboxes")).isEmpty();
    }

    @Test
    void aKillWhileThePoolRefillsClonesRunAndATemplateIsWrittenLeavesAConsistentStore() throws Exception {
        for (int round = 0; round < 3; round++) {
            Process other = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            LeaseAndMakeTemplates.class.getName(),
                            fixture.state.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String pool = fixture.state + "/sandboxes/pool-";
            String template = fixture.state + "/templates/new-";
            while (VmFixture.processesWith(pool).size() < 2
                    || VmFixture.processesWith(template).isEmpty()) {
                assertThat(other.isAlive()).isTrue();
                Thread.onSpinWait(); // bounded by the test's timeout
            }
            other.destroyForcibly().waitFor();
            Instant killed = Instant.now();
            while (!VmFixture.processesWith(fixture.state.toString()).isEmpty()) {
                assertThat(Duration.between(killed, Instant.now())).isLessThan(Duration.ofSeconds(2));
                Thread.onSpinWait();
            }
            try (VirtContainers next =
                    VirtContainers.builder().stateDirectory(fixture.state).open()) {
                assertThat(next.list()).isEmpty();
                assertThat(fixture.sandboxFiles()).isEmpty();
                assertThat(next.templates().list())
                        .isNotEmpty()
                        .allSatisfy(known -> assertThat(known.problem()).isEmpty());
                try (Sandbox sandbox = next.run(config("after", 256))) {
                    assertThat(sandbox.timeline().phases())
                            .extracting(Timeline.Phase::name)
                            .doesNotContain("template.make", "template.refused");
                    assertThat(sandbox.status().guestAnswers()).isTrue();
                }
            }
        }
    }

    /** Another Java process, which leases from a pool and makes another template, both without an end. */
    static final class LeaseAndMakeTemplates {
        public static void main(String[] arguments) {
            VirtContainers vc = VirtContainers.builder()
                    .stateDirectory(Path.of(arguments[0]))
                    .open();
            SandboxPool pool = vc.pool(config("pool", 256), 2, 4);
            Sandbox kept = pool.lease(Duration.ofMinutes(1));
            Thread leasing = new Thread(() -> {
                while (kept.status().guestAnswers()) {
                    pool.lease(Duration.ofMinutes(1)).close();
                }
            });
            leasing.start();
            while (true) {
                vc.templates().destroy(vc.templates().init(config("other", 128)).id());
            }
        }
    }
}
