// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.testkit.OtherJvm;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The bug for which this engine's status exists: "running" for a container whose host-side process is dead. */
@Tag("vm")
class StatusRaceVmTest {
    /** {@code -Drounds=200} for as many as there should be before a release. */
    private static final int ROUNDS = Integer.getInteger("rounds", 80);

    private static final int LONGEST_LIFE_MILLIS = 60;

    @TempDir
    Path directory;

    @Test
    @Timeout(600)
    void statusNeverSaysRunningOnceTheDeathOfTheShimCanBeSeen() throws Exception {
        Random random = new Random(1);
        try (VmFixture fixture = new VmFixture(directory);
                Sandbox sandbox = fixture.vc.run(SandboxConfig.builder("d")
                        .memory(MemorySize.mib(256))
                        .detached(true)
                        .build());
                StatusRacer here = new StatusRacer(fixture.state);
                OtherJvm there = new OtherJvm(StatusRacer.class, fixture.state.toString())) {
            there.expect("ready");
            Container container = fixture.container(sandbox, "c", "sleep", "1000000");
            for (int round = 0; round < ROUNDS; round++) {
                container.start();
                Process shim = new ProcessBuilder("sleep", "1000").start();
                HostProcess identity = HostProcess.of(shim.pid());
                container.shim(identity);
                there.send(Long.toString(shim.pid()));
                there.expect("racing");
                CompletableFuture<String> verdict = here.race(identity);
                // Not to wait for anything, but to let the death fall anywhere in the questions.
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(random.nextInt(LONGEST_LIFE_MILLIS)));
                shim.destroyForcibly();
                assertThat(verdict.get(60, TimeUnit.SECONDS))
                        .as("round %d", round)
                        .isEqualTo("fine");
                there.expect("fine");
            }
            sandbox.delete();
            assertThat(VmFixture.processesWith("-pidfile " + fixture.state)).isEmpty();
        }
    }
}
