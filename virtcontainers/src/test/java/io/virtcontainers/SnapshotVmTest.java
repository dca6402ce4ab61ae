// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sandboxes that go on where another one was saved. */
@Tag("vm")
@Timeout(180)
class SnapshotVmTest {
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

    private static String shell(Container container, String script) throws IOException {
        GuestProcess process = container.exec(ProcessConfig.of("sh", "-c", script));
        process.stdin().close();
        return output(process).strip();
    }

    private List<Path> snapshots() throws IOException {
        Path all = fixture.state.resolve("snapshots");
        if (!Files.isDirectory(all)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(all)) {
            return entries.toList();
        }
    }

    /** A sandbox with a container that counts in its memory, and has warmed up a file. */
    private Sandbox prepared(String id) throws IOException {
        Sandbox sandbox = fixture.sandbox(id);
        Container container = fixture.container(
                sandbox, "counter", "sh", "-c", "i=0; while read line; do i=$((i+1)); echo $line $i; done");
        container.start();
        assertThat(shell(container, "echo warm > /tmp/prepared; cat /tmp/prepared"))
                .isEqualTo("warm");
        say(container, "one", "one 1");
        return sandbox;
    }

    /** Says a line to the counter, and sees what it answers. */
    private static void say(Container container, String line, String answer) throws IOException {
        GuestProcess process = container.process();
        process.stdin().write((line + "\n").getBytes(java.nio.charset.StandardCharsets.UTF_8));
        process.stdin().flush();
        byte[] bytes = process.stdout().readNBytes(answer.length() + 1);
        assertThat(new String(bytes, java.nio.charset.StandardCharsets.UTF_8)).isEqualTo(answer + "\n");
    }

    @Test
    void clonesGoOnWhereTheSandboxWasSavedAndShareNothing() throws Exception {
        Sandbox source = prepared("source");
        Snapshot snapshot = source.snapshot();
        assertThat(snapshot.containers()).containsExactly("counter");
        assertThat(snapshot.size().bytes()).isBetween(10L << 20, 256L << 20);
        List<String> random = new ArrayList<>();
        List<Sandbox> clones = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Sandbox clone = fixture.vc.restore(snapshot, "clone" + i);
            clones.add(clone);
            assertThat(clone.state()).isEqualTo(State.RUNNING);
            Container container = clone.container("counter");
            assertThat(container.state()).isEqualTo(State.RUNNING);
            assertThat(shell(container, "cat /tmp/prepared")).isEqualTo("warm");
            assertThat(shell(container, "hostname")).isEqualTo("clone" + i);
            assertThat(Long.parseLong(shell(container, "date +%s")))
                    .isCloseTo(Instant.now().getEpochSecond(), Offset.offset(5L));
            random.add(shell(container, "head -c 32 /dev/urandom | od -A n -t x1 | tr -d ' \n'"));
            random.add(shell(container, "cat /proc/sys/kernel/random/uuid"));
        }
        random.add(shell(source.container("counter"), "cat /proc/sys/kernel/random/uuid"));
        assertThat(new HashSet<>(random)).hasSize(7);
        say(source.container("counter"), "source", "source 2");
        for (int i = 0; i < clones.size(); i++) {
            say(clones.get(i).container("counter"), "clone-" + i, "clone-" + i + " 2");
        }
        assertThat(shell(source.container("counter"), "hostname")).isEqualTo("source");
        snapshot.close();
        assertThat(snapshots()).isEmpty();
        say(clones.get(0).container("counter"), "after", "after 3");
        assertThatThrownBy(() -> fixture.vc.restore(snapshot, "late"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("is closed");
        for (Sandbox clone : clones) {
            clone.close();
        }
        source.close();
        assertThat(VmFixture.processesWith(fixture.state.toString())).isEmpty();
    }
}
