// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.testkit.FakeAgents;
import io.virtcontainers.testkit.FakeGuestImages;
import io.virtcontainers.testkit.FakeHypervisor;
import io.virtcontainers.testkit.Leaks;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What many sandboxes cost, and that none leaves a trace. */
@Timeout(300)
class ManySandboxesTest {
    private static final Logger log = LoggerFactory.getLogger(ManySandboxesTest.class);
    private static final int THREADS = 16;
    private static final int CYCLES = 1000;
    private static final int IDLE = 500;
    private static final long MIB = 1 << 20;

    @TempDir
    Path directory;

    /** Fakes of their own for each round of cycles, as fakes remember their calls and machines for the tests. */
    private Engine engine() {
        return Engine.open(
                directory.resolve("state"),
                () -> new Backends(new FakeHypervisor(), new FakeAgents(), new FakeGuestImages()));
    }

    private void cycle(Engine engine, String id) {
        try (Sandbox sandbox = engine.run(SandboxConfig.builder(id).build())) {
            Container container = sandbox.createContainer(ContainerConfig.builder("c")
                    .rootfs(RootFs.directory(directory))
                    .command("true")
                    .build());
            container.start();
            assertThat(container.process().waitFor(Duration.ofSeconds(30)).code())
                    .isZero();
            container.stop();
            container.delete();
            sandbox.stop();
        }
    }

    private void cycles(int count) throws Exception {
        try (Engine engine = engine()) {
            ExecutorService threads = Executors.newFixedThreadPool(THREADS);
            List<CompletableFuture<Void>> all = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                String id = "s" + i;
                all.add(CompletableFuture.runAsync(() -> cycle(engine, id), threads));
            }
            CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)).get(4, TimeUnit.MINUTES);
            threads.shutdown();
            assertThat(engine.sandboxes()).isEmpty();
        }
    }

    @Test
    void aThousandLivesFromSixteenThreadsLeaveNothing() throws Exception {
        cycles(100);
        Leaks before = Leaks.snapshot(directory.resolve("state"));
        long heap = usedHeap();
        cycles(CYCLES);
        Leaks.none(before);
        long growth = usedHeap() - heap;
        log.info("heap after {} lives: {} KiB more", CYCLES, growth / 1024);
        assertThat(growth).isLessThan(2 * MIB);
    }

    @Test
    void anIdleSandboxHasNoThreadAndLessThanAMebibyteOfHeap() throws IOException {
        try (Engine engine = engine()) {
            idle(engine, "warm-up");
            long heap = usedHeap();
            int threads = Thread.activeCount();
            for (int i = 0; i < IDLE; i++) {
                idle(engine, "s" + i);
            }
            long each = (usedHeap() - heap) / IDLE;
            log.info("an idle sandbox with a container: {} KiB of heap", each / 1024);
            assertThat(each).isLessThan(MIB);
            assertThat(Thread.activeCount()).isLessThanOrEqualTo(threads + 1); // the pool's, about to end
        }
    }

    private void idle(Engine engine, String id) {
        Sandbox sandbox = engine.run(SandboxConfig.builder(id).build());
        Container unused = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(RootFs.directory(directory))
                .command("true")
                .build());
    }

    private static long usedHeap() {
        for (int i = 0; i < 5; i++) {
            System.gc();
        }
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }
}
