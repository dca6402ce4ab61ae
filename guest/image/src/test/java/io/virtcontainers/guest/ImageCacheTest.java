// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.CancelledException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.spi.Deadline;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ImageCacheTest {
    @TempDir
    private Path folder;

    private static Deadline deadline() {
        return Deadline.after(Duration.ofSeconds(30));
    }

    /** Holds a lock until it is killed. */
    static final class Holder {
        private Holder() {}

        public static void main(String[] arguments) throws IOException {
            ImageCache cache = new ImageCache(Path.of(arguments[0]));
            cache.prepare();
            try (CacheLock lock = cache.lock("guest", deadline())) {
                Files.writeString(cache.temporaryFolder("guest").resolve("vmlinux"), "half");
                System.out.println("locked");
                System.in.read(); // ends with the test's process, too
            }
        }
    }

    @Test
    void aLockHoldsBetweenProcessesUntilItsHolderDies() throws IOException, InterruptedException {
        ImageCache cache = new ImageCache(folder);
        cache.prepare();
        Process holder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Holder.class.getName(),
                        folder.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try (BufferedReader out = holder.inputReader(StandardCharsets.UTF_8)) {
            String line = out.readLine();
            assertThat(line).isEqualTo("locked");
            assertThatThrownBy(() -> cache.lock("guest", Deadline.after(Duration.ofMillis(100))))
                    .hasMessageContaining("locks/guest");
            try (CacheLock other = cache.lock("rootfs-00", deadline())) {
                assertThat(folder.resolve("tmp"))
                        .as("what others work on is left alone")
                        .isNotEmptyDirectory();
            }
            holder.destroyForcibly().waitFor();
            try (CacheLock lock = cache.lock("guest", deadline())) {
                assertThat(folder.resolve("tmp")).isEmptyDirectory();
            }
        } finally {
            holder.destroyForcibly();
        }
    }

    @Test
    void anInterruptEndsTheWaitForALock() throws IOException {
        ImageCache cache = new ImageCache(folder);
        cache.prepare();
        try (CacheLock held = cache.lock("guest", deadline())) {
            Waiter waiter = new Waiter(() -> {
                try (CacheLock never = cache.lock("guest", deadline())) {
                    throw new AssertionError("two held it");
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            Awaitility.await().until(() -> waiter.thread().getState() == Thread.State.TIMED_WAITING);
            waiter.thread().interrupt();
            assertThat(waiter.failure()).isInstanceOf(CancelledException.class);
        }
    }

    @Test
    void anIndexThatIsTornOrEditedReadsAsAbsent() throws IOException {
        Path index = folder.resolve("index");
        assertThat(IndexFile.read(index)).isEmpty();
        IndexFile.write(index, List.of("one", "two three"), folder);
        assertThat(IndexFile.read(index)).contains(List.of("one", "two three"));
        byte[] good = Files.readAllBytes(index);
        Random random = new Random(1);
        for (int length = 0; length < good.length; length++) {
            Files.write(index, Arrays.copyOf(good, length));
            assertThat(IndexFile.read(index)).as("length %d", length).isEmpty();
            byte[] edited = good.clone();
            edited[length] ^= (byte) (1 << random.nextInt(7));
            Files.write(index, edited);
            assertThat(IndexFile.read(index)).as("byte %d", length).isEmpty();
        }
    }

    @Test
    void aFullDiskIsSaidToBeOne() {
        assertThatThrownBy(() -> {
                    try (OutputStream full = Files.newOutputStream(Path.of("/dev/full"))) {
                        full.write(1);
                    } catch (IOException e) {
                        throw IoFailures.toVirtException("write the initrd", e);
                    }
                })
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("cannot write the initrd: No space left on device; free some space");
    }

    @Test
    void aChildsOutputIsKeptInPartOnly() throws IOException {
        ChildProcess.Result result = ChildProcess.run(List.of("seq", "1", "200000"), Map.of(), deadline(), "seq");
        assertThat(result.exitCode()).isZero();
        assertThat(result.output()).endsWith("200000\n").hasSizeLessThan(10_000);
    }

    @Test
    void aProgramThatCannotBeStartedIsAnError() {
        assertThatThrownBy(() -> ChildProcess.run(List.of("/nowhere"), Map.of(), deadline(), "it"))
                .isInstanceOf(IOException.class);
    }
}
