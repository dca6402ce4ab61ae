// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.Status;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse.ServingStatus;
import io.virtcontainers.agent.kata.protocol.HealthGrpc;
import io.virtcontainers.agent.kata.protocol.WaitProcessRequest;
import io.virtcontainers.agent.kata.protocol.WaitProcessResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An agent that hangs while somebody waits without a deadline, with questions every 100 ms. */
class KeepAliveTest {
    private static final Duration INTERVAL = Duration.ofMillis(100);
    private static final Duration PATIENCE_AND_MORE = Duration.ofSeconds(20);

    @TempDir
    private Path directory;

    private final EventLoops loops = new EventLoops();
    private final AtomicInteger asked = new AtomicInteger();
    private FakeAgentServer server;
    private AgentConnection connection;

    @BeforeEach
    void listen() {
        server = new FakeAgentServer(directory.resolve("agent.sock"));
        server.ignore(AgentServiceGrpc.getWaitProcessMethod());
    }

    @AfterEach
    void close() {
        connection.fail(AgentConnection.closed());
        connection.awaitClosed(Duration.ofSeconds(5));
        loops.close();
        server.close();
    }

    private void connect(BooleanSupplier halted) {
        Transport transport = new VirtioSerialTransport(directory.resolve("agent.sock"), false, loops.nio());
        connection = new AgentConnection(transport, INTERVAL, halted, Runnable::run);
        connection.start();
        connection.awaitReady(Fixture.soon());
        countChecks(true);
    }

    private void countChecks(boolean answered) {
        server.on(HealthGrpc.getCheckMethod(), (request, observer) -> {
            asked.incrementAndGet();
            if (answered) {
                observer.onNext(HealthCheckResponse.newBuilder()
                        .setStatus(ServingStatus.SERVING)
                        .build());
                observer.onCompleted();
            }
        });
    }

    private CompletableFuture<WaitProcessResponse> waitForever() {
        return connection.open(AgentServiceGrpc.getWaitProcessMethod(), WaitProcessRequest.getDefaultInstance());
    }

    @Test
    void theAgentIsAskedOnlyWhileSomebodyWaits() {
        connect(() -> false);
        CompletableFuture<WaitProcessResponse> answer = waitForever();
        await().until(() -> asked.get() >= 3);
        answer.cancel(false);
        int last = asked.get();
        await().during(INTERVAL.multipliedBy(5)).until(() -> asked.get() <= last + 1);
        CompletableFuture<WaitProcessResponse> other = waitForever();
        await().until(() -> asked.get() >= last + 3);
        assertThat(other).isNotDone();
    }

    @Test
    void whoWaitsForAnAgentThatHangsLearnsIt() {
        connect(() -> false);
        CompletableFuture<WaitProcessResponse> answer = waitForever();
        await().until(() -> asked.get() >= 1);
        countChecks(false);
        assertThat(answer)
                .failsWithin(PATIENCE_AND_MORE)
                .withThrowableThat()
                .withCauseInstanceOf(io.grpc.StatusRuntimeException.class);
        // It is a lost connection, after which a wait is repeated, and the agent recovers.
        assertThat(answer.handle((a, error) -> AgentErrors.isConnectionLoss(error))
                        .join())
                .isTrue();
        countChecks(true);
        connection.awaitReady(Fixture.soon());
        assertThat(waitForever()).isNotDone();
    }

    @Test
    void theSilenceOfAHaltedMachineMeansNothing() {
        AtomicInteger questions = new AtomicInteger();
        connect(() -> questions.incrementAndGet() > 0);
        CompletableFuture<WaitProcessResponse> answer = waitForever();
        countChecks(false);
        await().until(() -> questions.get() >= 3);
        countChecks(true);
        int last = asked.get();
        await().until(() -> asked.get() >= last + 3);
        assertThat(answer).isNotDone();
    }

    @Test
    void aMachineThatDoesNotTellIsLeftToTheEngine() {
        AtomicInteger questions = new AtomicInteger();
        connect(() -> {
            questions.incrementAndGet();
            throw new HypervisorException("no answer to query-status");
        });
        CompletableFuture<WaitProcessResponse> answer = waitForever();
        countChecks(false);
        await().until(() -> questions.get() >= 3);
        assertThat(answer).isNotDone();
    }

    @Test
    void anAgentThatRefusesIsThere() {
        connect(() -> false);
        CompletableFuture<WaitProcessResponse> answer = waitForever();
        AtomicInteger refused = new AtomicInteger();
        server.on(HealthGrpc.getCheckMethod(), (request, observer) -> {
            refused.incrementAndGet();
            observer.onError(Status.RESOURCE_EXHAUSTED.asRuntimeException());
        });
        await().until(() -> refused.get() >= 3);
        assertThat(answer).isNotDone();
    }
}
