// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AgentChannel;
import io.virtcontainers.Device;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.IllegalTransitionException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.Snapshot;
import io.virtcontainers.SnapshotConfig;
import io.virtcontainers.State;
import io.virtcontainers.UnsupportedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What cannot be saved, on fakes; the rest is in {@code SnapshotVmTest}. */
@Timeout(60)
class SnapshotRefusalTest {
    private static final SnapshotConfig NEVER = SnapshotConfig.defaults().beforeSnapshot(sandbox -> {
        throw new AssertionError("the hook was run");
    });

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

    private void isRefused(SandboxConfig config, String reason) {
        Sandbox sandbox = fixture.engine.run(config);
        assertThatThrownBy(() -> sandbox.snapshot(NEVER))
                .isInstanceOf(UnsupportedException.class)
                .hasMessageContaining(reason);
        assertThat(sandbox.state()).isEqualTo(State.RUNNING);
    }

    @Test
    void vsockAndDisksThatCanBeWritten() throws IOException {
        isRefused(
                SandboxConfig.builder("vsock")
                        .hypervisor(HypervisorConfig.builder()
                                .agentChannel(AgentChannel.HYBRID_VSOCK)
                                .build())
                        .build(),
                "its agent is reached by");
        Sandbox writing = fixture.running("writing");
        Path image = Files.createFile(directory.resolve("disk"));
        String unused = writing.addDevice(new Device.Block("disk", image, /* readOnly= */ false));
        assertThatThrownBy(() -> writing.snapshot(NEVER))
                .isInstanceOf(UnsupportedException.class)
                .hasMessageContaining("a disk that can be written");
    }

    @Test
    void aSandboxThatDoesNotRun() {
        Sandbox sandbox = fixture.running("s");
        sandbox.pause();
        assertThatThrownBy(() -> sandbox.snapshot(NEVER)).isInstanceOf(IllegalTransitionException.class);
        sandbox.resume();
        sandbox.stop();
        assertThatThrownBy(() -> sandbox.snapshot(NEVER)).isInstanceOf(IllegalTransitionException.class);
    }

    @Test
    void aSnapshotOfSomebodyElseIsNotRestored() {
        Snapshot other = new Snapshot() {
            @Override
            public String id() {
                return "foreign";
            }

            @Override
            public SandboxConfig config() {
                return SandboxConfig.builder("s").build();
            }

            @Override
            public List<String> containers() {
                return List.of();
            }

            @Override
            public Instant createdAt() {
                return Instant.EPOCH;
            }

            @Override
            public io.virtcontainers.MemorySize size() {
                return io.virtcontainers.MemorySize.mib(0);
            }

            @Override
            public void close() {}
        };
        assertThatThrownBy(() -> fixture.engine.restore(other, "clone"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("foreign");
        assertThatThrownBy(() -> fixture.engine.pool(other, "pool", 1, 1)).isInstanceOf(InvalidConfigException.class);
        assertThat(fixture.engine.sandboxes()).isEmpty();
    }
}
