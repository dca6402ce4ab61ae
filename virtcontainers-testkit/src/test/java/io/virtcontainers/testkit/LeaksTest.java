// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LeaksTest {
    private static final Duration SHORT = Duration.ofMillis(50);

    @TempDir
    Path directory;

    private static void assertLeft(Leaks before, String what) {
        assertThatThrownBy(() -> Leaks.none(before, SHORT))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("left behind")
                .hasMessageContaining(what);
        Leaks.none(before, SHORT, what);
    }

    @Test
    void aThreadIsFoundUntilItEnds() {
        Leaks before = Leaks.snapshot();
        CountDownLatch end = new CountDownLatch(1);
        new Thread(
                        () -> {
                            try {
                                end.await();
                            } catch (InterruptedException e) {
                                return;
                            }
                        },
                        "left-over")
                .start();
        assertLeft(before, "thread left-over");
        end.countDown();
        Leaks.none(before);
    }

    @Test
    void asManyThreadsOfANameAsBeforeAreNoLeakButOneMoreIs() {
        CountDownLatch end = new CountDownLatch(1);
        Runnable wait = () -> {
            try {
                end.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
        new Thread(wait, "twin").start();
        Leaks before = Leaks.snapshot();
        Leaks.none(before, SHORT);
        new Thread(wait, "twin").start();
        assertLeft(before, "thread twin");
        end.countDown();
    }

    @Test
    void anOpenFileIsFoundUntilItIsClosed() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "text");
        Leaks before = Leaks.snapshot();
        try (InputStream open = Files.newInputStream(file)) {
            assertLeft(before, "open " + file);
        }
        Leaks.none(before);
    }

    @Test
    void aChildIsFoundUntilItIsDead() throws IOException {
        Leaks before = Leaks.snapshot();
        Process child = new ProcessBuilder("sleep", "1000")
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        assertLeft(before, "process " + child.pid());
        child.destroyForcibly();
        Leaks.none(before);
    }

    @Test
    void aFileBelowTheDirectoryIsFoundUntilItIsDeleted() throws IOException {
        Leaks before = Leaks.snapshot(directory, directory.resolve("missing"));
        Path file = Files.writeString(directory.resolve("file"), "text");
        assertLeft(before, "file " + file);
        Files.delete(file);
        Leaks.none(before);
    }
}
