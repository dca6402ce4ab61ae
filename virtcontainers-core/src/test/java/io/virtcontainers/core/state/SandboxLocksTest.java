// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.virtcontainers.CancelledException;
import io.virtcontainers.SandboxBusyException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.testkit.OtherJvm;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class SandboxLocksTest {
    private static final Duration SHORT = Duration.ofMillis(200);
    private static final Duration LONG = Duration.ofSeconds(30);

    @TempDir
    Path directory;

    private StateDirectory state;
    private SandboxPlace place;

    @BeforeEach
    void open() {
        state = StateDirectory.open(directory.resolve("state"));
        place = state.place("s");
    }

    @AfterEach
    void close() {
        state.close();
    }

    private OtherJvm holder() throws IOException {
        OtherJvm holder =
                new OtherJvm(LockHolder.class, directory.resolve("state").toString(), "s");
        holder.expect("locked");
        return holder;
    }

    private SandboxBusyException busy() {
        return catchThrowableOfType(
                SandboxBusyException.class,
                () -> place.lock("test it", Deadline.after(SHORT)).close());
    }

    @Test
    void theErrorNamesTheProcessThatHoldsTheLock() throws Exception {
        try (OtherJvm holder = holder()) {
            SandboxBusyException error = busy();
            assertThat(error.holder()).hasValue(holder.pid());
            assertThat(error).hasMessageContaining("process " + holder.pid()).hasMessageContaining("test it");
            holder.send("");
            holder.expect("released");
            place.lock("test it", Deadline.after(LONG)).close();
        }
    }

    @Test
    void theKernelReleasesTheLockOfAKilledProcess() throws Exception {
        try (OtherJvm holder = holder()) {
            CompletableFuture<Void> waiting = CompletableFuture.runAsync(
                    () -> place.lock("wait", Deadline.after(LONG)).close());
            holder.kill();
            waiting.get(30, TimeUnit.SECONDS);
        }
    }

    @Test
    void aStoppedHolderIsATypedErrorAfterTheDeadline() throws Exception {
        try (OtherJvm holder = holder()) {
            signal(holder.pid(), "-STOP");
            assertThat(busy().holder()).hasValue(holder.pid());
            signal(holder.pid(), "-CONT");
        }
    }

    private static void signal(long pid, String signal) throws Exception {
        assertThat(new ProcessBuilder("kill", signal, Long.toString(pid))
                        .start()
                        .waitFor())
                .isZero();
    }

    @Test
    void anotherThreadWaitsAndTheSameThreadDoesNot() throws Exception {
        try (SandboxLocks.Lock outer = place.lock("outer", Deadline.after(SHORT))) {
            place.lock("inner", Deadline.after(SHORT)).close();
            SandboxBusyException error =
                    CompletableFuture.supplyAsync(this::busy).get(30, TimeUnit.SECONDS);
            assertThat(error.holder()).hasValue(ProcessHandle.current().pid());
            assertThat(error).hasMessageContaining("outer");
            try (StateDirectory second = StateDirectory.open(directory.resolve("state"))) {
                // The same lock, though it was opened a second time; and closing that one releases nothing.
                assertThat(CompletableFuture.supplyAsync(() -> second.place("s").lockNow("test"))
                                .get(30, TimeUnit.SECONDS))
                        .isEmpty();
            }
            assertThat(CompletableFuture.supplyAsync(() -> place.lockNow("test"))
                            .get(30, TimeUnit.SECONDS))
                    .isEmpty();
        }
        assertThat(busy()).isNull();
    }

    @Test
    void locksOfDifferentSandboxesNeverWaitForEachOther() throws Exception {
        try (OtherJvm holder = holder()) {
            for (int i = 0; i < 100; i++) {
                assertThat(state.place("other" + i).lockNow("test")).hasValueSatisfying(SandboxLocks.Lock::close);
            }
            assertThat(holder.pid()).isPositive();
        }
    }

    @Test
    void interruptingAWaitCancelsItAndHoldsNothing() throws Exception {
        try (SandboxLocks.Lock held = place.lock("hold", Deadline.after(SHORT))) {
            CountDownLatch started = new CountDownLatch(1);
            CompletableFuture<Throwable> outcome = new CompletableFuture<>();
            Thread waiter = new Thread(() -> {
                started.countDown();
                outcome.complete(catchThrowableOfType(
                        CancelledException.class,
                        () -> place.lock("wait", Deadline.after(LONG)).close()));
            });
            waiter.start();
            started.await();
            waiter.interrupt();
            assertThat(outcome.get(30, TimeUnit.SECONDS)).isInstanceOf(CancelledException.class);
        }
        place.lock("after", Deadline.after(SHORT)).close();
    }

    @Test
    void aLockOutlivesTheDirectoryOfItsSandbox() throws Exception {
        place.create();
        try (OtherJvm holder = holder()) {
            place.remove();
            place.create();
            assertThat(busy().holder()).hasValue(holder.pid());
        }
    }

    @Test
    void ownershipIsNotBoundToAThread() throws Exception {
        SandboxLocks.Lock own = place.tryOwn().orElseThrow();
        assertThat(place.tryOwn()).isEmpty();
        assertThat(place.owner()).hasValue(ProcessHandle.current().pid());
        CompletableFuture.runAsync(own::close).get(30, TimeUnit.SECONDS);
        assertThat(place.owner()).isEmpty();
        assertThat(place.tryOwn()).hasValueSatisfying(SandboxLocks.Lock::close);
    }

    @Test
    void aClosedDirectoryCannotBeLocked() {
        StateDirectory closed = StateDirectory.open(directory.resolve("other"));
        SandboxPlace gone = closed.place("s");
        closed.close();
        assertThatThrownBy(() -> gone.lock("test", Deadline.after(SHORT))).hasMessageContaining("cannot lock");
    }
}
