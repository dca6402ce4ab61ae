// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.testkit.Leaks;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Fifty real virtual machines, two at a time, leave no trace in this process or on the host. */
@Tag("vm")
class FiftyLivesVmTest {
    private static final int LIVES = 50;
    private static final int AT_ONCE = 2;
    private static final long MAX_GROWTH = 4 << 20;

    @TempDir
    Path directory;

    @Test
    @Timeout(600)
    void fiftyLivesLeaveNothing() throws Exception {
        try (VmFixture fixture = new VmFixture(directory)) {
            lives(fixture, 6);
            Leaks before = Leaks.snapshot(fixture.state);
            long heap = usedHeap();
            lives(fixture, LIVES);
            Leaks.none(before);
            assertThat(usedHeap() - heap).as("growth of the heap in bytes").isLessThan(MAX_GROWTH);
            assertThat(VmFixture.processesWith("-pidfile " + fixture.state)).isEmpty();
        }
    }

    private static void lives(VmFixture fixture, int count) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(AT_ONCE);
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String id = "s" + i;
            all.add(CompletableFuture.runAsync(() -> live(fixture, id), threads));
        }
        CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)).get(9, TimeUnit.MINUTES);
        threads.shutdown();
        assertThat(threads.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
    }

    private static void live(VmFixture fixture, String id) {
        try (Sandbox sandbox = fixture.sandbox(id)) {
            Container container = fixture.container(sandbox, "c", "echo", id);
            assertThat(output(container)).isEqualTo(id + "\n");
            container.stop();
            container.delete();
            sandbox.stop();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static long usedHeap() {
        for (int i = 0; i < 5; i++) {
            System.gc();
        }
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
