// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.grpc.Status;
import io.virtcontainers.AgentException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse.ServingStatus;
import io.virtcontainers.agent.kata.protocol.HealthGrpc;
import io.virtcontainers.agent.kata.protocol.WaitProcessRequest;
import io.virtcontainers.agent.kata.protocol.WaitProcessResponse;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExitOfTest {
    @TempDir
    private Path directory;

    private Fixture f;
    private final CountDownLatch waitAnswered = new CountDownLatch(1);

    @BeforeEach
    void connect() {
        f = new Fixture(directory);
    }

    @AfterEach
    void close() {
        f.close();
    }

    /** As the Rust agent does: a health check is answered after the waits before it that can be answered. */
    private void checkAfterTheWait() {
        f.server.on(HealthGrpc.getCheckMethod(), (request, observer) -> {
            try {
                assertThat(waitAnswered.await(10, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            observer.onNext(HealthCheckResponse.newBuilder()
                    .setStatus(ServingStatus.SERVING)
                    .build());
            observer.onCompleted();
        });
    }

    private CompletableFuture<WaitProcessRequest> answerTheWait(int code) {
        CompletableFuture<WaitProcessRequest> seen = new CompletableFuture<>();
        f.server.on(AgentServiceGrpc.getWaitProcessMethod(), (request, observer) -> {
            seen.complete(request);
            observer.onNext(WaitProcessResponse.newBuilder().setStatus(code).build());
            observer.onCompleted();
            waitAnswered.countDown();
        });
        checkAfterTheWait();
        return seen;
    }

    @Test
    void tellsHowAProcessEnded() {
        CompletableFuture<WaitProcessRequest> seen = answerTheWait(137);
        assertThat(f.agent.exitOf("web", "shell", Fixture.soon())).contains(new ExitStatus(137));
        assertThat(seen.join())
                .isEqualTo(WaitProcessRequest.newBuilder()
                        .setContainerId("web")
                        .setExecId("shell")
                        .build());
    }

    @Test
    void isEmptyWhileAProcessRunsAndLeavesNoCallBehind() {
        FakeAgentServer.Hung wait = f.server.hang(AgentServiceGrpc.getWaitProcessMethod());
        for (int i = 0; i < 20; i++) {
            assertThat(f.agent.exitOf("web", "web", Fixture.soon())).isEmpty();
        }
        wait.awaitCancellation();
        assertThat(wait.all()).isEqualTo(20);
    }

    @Test
    void saysThatThereIsNoSuchProcess() {
        f.server.on(AgentServiceGrpc.getWaitProcessMethod(), (request, observer) -> {
            observer.onError(Status.NOT_FOUND.withDescription("no such process").asRuntimeException());
            waitAnswered.countDown();
        });
        checkAfterTheWait();
        assertThatThrownBy(() -> f.agent.exitOf("web", "gone", Fixture.soon()))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("process gone of container web");
    }

    @Test
    void refusesAnImpossibleCode() {
        var unused = answerTheWait(256);
        assertThatThrownBy(() -> f.agent.exitOf("web", "web", Fixture.soon()))
                .isInstanceOf(AgentException.class)
                .hasMessageEndingWith("impossible exit code for process web of container web: 256");
    }

    @Test
    void aHungAgentHoldsItUpToItsDeadlineOnly() {
        FakeAgentServer.Hung wait = f.server.hang(AgentServiceGrpc.getWaitProcessMethod());
        FakeAgentServer.Hung check = f.server.hang(HealthGrpc.getCheckMethod());
        long begin = System.nanoTime();
        assertThatThrownBy(() -> f.agent.exitOf("web", "web", Deadline.after(Duration.ofMillis(200))))
                .isInstanceOf(DeadlineExceededException.class);
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(2));
        wait.awaitCancellation();
        check.awaitCancellation();
    }

    @Test
    void anInterruptEndsItAndBothItsCalls() throws Exception {
        FakeAgentServer.Hung wait = f.server.hang(AgentServiceGrpc.getWaitProcessMethod());
        FakeAgentServer.Hung check = f.server.hang(HealthGrpc.getCheckMethod());
        CompletableFuture<Throwable> error = new CompletableFuture<>();
        Thread caller = new Thread(() -> {
            try {
                error.completeExceptionally(new AssertionError(f.agent.exitOf("web", "web", Fixture.soon())));
            } catch (CancelledException e) {
                error.complete(e);
            }
        });
        caller.start();
        check.awaitArrival();
        caller.interrupt();
        assertThat(error.get(10, TimeUnit.SECONDS)).isInstanceOf(CancelledException.class);
        wait.awaitCancellation();
        check.awaitCancellation();
    }

    @Test
    void anAbortEndsItWithItsReason() throws Exception {
        f.server.ignore(AgentServiceGrpc.getWaitProcessMethod());
        FakeAgentServer.Hung check = f.server.hang(HealthGrpc.getCheckMethod());
        var running = CompletableFuture.supplyAsync(() -> f.agent.exitOf("web", "web", Fixture.soon()));
        check.awaitArrival();
        VmDiedException reason = new VmDiedException("gone");
        f.agent.abort(reason);
        assertThatThrownBy(() -> running.get(10, TimeUnit.SECONDS)).hasCause(reason);
    }

    @Test
    void waitsForANewConnectionUpToItsDeadline() {
        f.server.drop();
        // The loss reaches the channel a little later: until then a call goes out on the dead connection.
        await().atMost(Duration.ofSeconds(10))
                .untilAsserted(() -> assertThatThrownBy(
                                () -> f.agent.exitOf("web", "web", Deadline.after(Duration.ofMillis(100))))
                        .isInstanceOf(DeadlineExceededException.class)
                        .hasMessageContaining("a new connection to the agent for WaitProcess"));
        FakeAgentServer.Hung wait = f.server.hang(AgentServiceGrpc.getWaitProcessMethod());
        f.server.restart();
        assertThat(f.agent.exitOf("web", "web", Fixture.soon())).isEmpty();
        wait.awaitCancellation();
    }
}
