// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.Container;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxPool;
import io.virtcontainers.Signal;
import io.virtcontainers.Snapshot;
import io.virtcontainers.SnapshotConfig;
import io.virtcontainers.State;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Snapshots, templates and pools on the fakes, as a user of the testkit has them. */
@Timeout(60)
final class FakeClonesTest {
    private static final Duration SOON = Duration.ofSeconds(30);

    @TempDir
    Path directory;

    private EngineFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new EngineFixture(directory);
    }

    @AfterEach
    void close() {
        fixture.close();
    }

    private Sandbox prepared() {
        Sandbox sandbox = fixture.running("source");
        fixture.container(sandbox, "server", "sleep").start();
        Container ended = fixture.container(sandbox, "ended", "exit", "7");
        ended.start();
        assertThat(ended.process().waitFor(SOON).code()).isEqualTo(7);
        Container unused = fixture.container(sandbox, "ready", "echo", "late");
        return sandbox;
    }

    private static String echo(Sandbox sandbox, String words) throws IOException {
        GuestProcess process = sandbox.container("server").exec(ProcessConfig.of("echo", words));
        return new String(process.stdout().readAllBytes(), UTF_8);
    }

    @Test
    void aCloneHasTheContainersOfTheSandboxAsTheyWere() throws IOException {
        Sandbox source = prepared();
        try (Snapshot snapshot = source.snapshot();
                Sandbox clone = fixture.engine.restore(snapshot, "clone")) {
            assertThat(clone.container("server").state()).isEqualTo(State.RUNNING);
            assertThat(clone.container("ended").process().waitFor(SOON).code()).isEqualTo(7);
            assertThat(clone.container("ready").state()).isEqualTo(State.READY);
            assertThat(echo(clone, "in the clone")).isEqualTo("in the clone\n");
            source.close();
            assertThat(echo(clone, "alone")).isEqualTo("alone\n");
            clone.container("server").kill(Signal.KILL);
            assertThat(clone.container("server").process().waitFor(SOON).code()).isEqualTo(137);
        }
    }

    @Test
    void aPoolOfASnapshotAndItsHook() throws IOException {
        Sandbox source = prepared();
        SnapshotConfig refusing = SnapshotConfig.defaults().afterRestore(clone -> {
            if (clone.id().equals("refused")) {
                throw new IOException("not this one");
            }
        });
        try (Snapshot snapshot = source.snapshot(refusing)) {
            assertThatThrownBy(() -> fixture.engine.restore(snapshot, "refused"))
                    .isInstanceOf(VirtException.class)
                    .hasMessageContaining("not this one");
            try (SandboxPool pool = fixture.engine.pool(snapshot, "pool", 1, 2);
                    Sandbox leased = pool.lease(SOON)) {
                assertThat(echo(leased, "leased")).isEqualTo("leased\n");
            }
        }
        assertThat(fixture.sandboxDirectories()).hasSize(1);
    }

    @Test
    void aTemplateIsMadeOnceAndCloned() {
        SandboxConfig.Builder config = SandboxConfig.builder("first").template(true);
        try (Sandbox first = fixture.engine.run(config.build());
                Sandbox second = fixture.engine.run(
                        SandboxConfig.builder("second").template(true).build())) {
            assertThat(first.timeline().phases()).anyMatch(phase -> phase.name().equals("template.make"));
            assertThat(second.timeline().phases())
                    .noneMatch(phase -> phase.name().startsWith("template.make"));
            assertThat(fixture.engine.templates().list()).hasSize(1);
        }
    }
}
