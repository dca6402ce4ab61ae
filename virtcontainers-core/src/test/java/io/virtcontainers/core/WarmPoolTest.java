// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxPool;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class WarmPoolTest {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final SandboxConfig CONFIG = SandboxConfig.builder("pool").build();

    @TempDir
    Path directory;

    private EngineFixture fixture;
    private VirtContainers vc;

    @BeforeEach
    void open() throws IOException {
        fixture = new EngineFixture(directory);
        vc = fixture.engine;
    }

    @AfterEach
    void close() {
        fixture.close();
    }

    @Test
    void twoHundredLeasesAtOnceNeverExceedTheLimit() throws Exception {
        AtomicInteger alive = new AtomicInteger();
        AtomicInteger highest = new AtomicInteger();
        Set<String> ids = ConcurrentHashMap.newKeySet();
        ExecutorService threads = Executors.newFixedThreadPool(200);
        try (SandboxPool pool = vc.pool(CONFIG, 3, 8)) {
            List<Callable<Void>> leases = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                leases.add(() -> {
                    Sandbox sandbox = pool.lease(SOON);
                    highest.accumulateAndGet(alive.incrementAndGet(), Math::max);
                    assertThat(ids.add(sandbox.id())).isTrue();
                    alive.decrementAndGet();
                    sandbox.close();
                    return null;
                });
            }
            for (Future<Void> lease : threads.invokeAll(leases)) {
                lease.get();
            }
            assertThat(ids).hasSize(200);
            assertThat(highest.get()).isBetween(1, 8);
            await().until(() -> pool.ready() == 3);
        } finally {
            threads.shutdownNow();
        }
        assertThat(vc.sandboxes()).isEmpty();
    }

    @Test
    void whoWaitsTooLongIsToldWhatThePoolDoes() {
        try (SandboxPool pool = vc.pool(CONFIG, 0, 1)) {
            Sandbox only = pool.lease(SOON);
            assertThatThrownBy(() -> pool.lease(Duration.ofMillis(20)))
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining("1 are leased, 0 start, 1 may be alive");
            only.close();
            pool.lease(SOON).close();
        }
    }

    @Test
    void aPoolThatIsClosedLeavesTheLeasedOnes() {
        SandboxPool pool = vc.pool(CONFIG, 2, 4);
        Sandbox leased = pool.lease(SOON);
        pool.close();
        assertThat(vc.sandboxes()).containsExactly(leased);
        assertThatThrownBy(() -> pool.lease(SOON))
                .isInstanceOf(VirtException.class)
                .hasMessageContaining("is closed");
    }
}
