// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.virtcontainers.AgentException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.WaitProcessResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessExitTest {
    @TempDir
    private Path directory;

    private Fixture f;
    private final LinkedBlockingQueue<StreamObserver<WaitProcessResponse>> waits = new LinkedBlockingQueue<>();

    @BeforeEach
    void connect() {
        f = new Fixture(directory);
        f.server.on(AgentServiceGrpc.getWaitProcessMethod(), (request, observer) -> waits.add(observer));
    }

    @AfterEach
    void close() {
        f.close();
    }

    private void end(int code) throws InterruptedException {
        StreamObserver<WaitProcessResponse> wait = waits.poll(10, TimeUnit.SECONDS);
        assertThat(wait).as("WaitProcess was asked").isNotNull();
        wait.onNext(WaitProcessResponse.newBuilder().setStatus(code).build());
        wait.onCompleted();
    }

    @Test
    void tellsTheExitStatus() throws Exception {
        GuestProcess process = f.start();
        assertThatThrownBy(() -> process.waitFor(Duration.ofMillis(50)))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("process shell of container web");
        end(137);
        assertThat(process.waitFor(Duration.ofSeconds(10))).isEqualTo(new ExitStatus(137));
        assertThat(process.onExit().get(10, TimeUnit.SECONDS).signal()).hasValue(9);
    }

    @Test
    void whatAUserDoesToTheFutureHarmsNobody() throws Exception {
        GuestProcess process = f.start();
        CompletableFuture<ExitStatus> cancelled = process.onExit();
        cancelled.cancel(true);
        process.onExit().complete(new ExitStatus(99));
        end(0);
        assertThat(process.onExit().get(10, TimeUnit.SECONDS).code()).isZero();
        assertThat(process.waitFor(Duration.ofSeconds(1)).code()).isZero();
    }

    @Test
    void aCallbackThatBlocksHoldsUpNothingElse() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        GuestProcess process = f.start();
        CompletableFuture<String> thread = new CompletableFuture<>();
        for (int i = 0; i < 4; i++) {
            var unused = process.onExit().thenRun(() -> {
                thread.complete(Thread.currentThread().getName());
                try {
                    release.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
        }
        end(0);
        try {
            assertThat(thread.get(10, TimeUnit.SECONDS)).startsWith("agent-callback");
            GuestProcess second = f.start();
            GuestProcess third = f.start();
            end(3);
            end(3);
            assertThat(second.waitFor(Duration.ofSeconds(10)).code()).isEqualTo(3);
            assertThat(third.waitFor(Duration.ofSeconds(10)).code()).isEqualTo(3);
        } finally {
            release.countDown();
        }
    }

    @Test
    void asksAgainOnANewConnection() throws Exception {
        GuestProcess process = f.start();
        assertThat(waits.poll(10, TimeUnit.SECONDS)).isNotNull();
        f.server.drop();
        f.server.restart();
        end(7);
        assertThat(process.waitFor(Duration.ofSeconds(10)).code()).isEqualTo(7);
    }

    @Test
    void asksAgainWithPausesWhenTheAgentKeepsSayingThatItIsUnavailable() throws Exception {
        java.util.concurrent.atomic.AtomicInteger asked = new java.util.concurrent.atomic.AtomicInteger();
        f.server.on(AgentServiceGrpc.getWaitProcessMethod(), (request, observer) -> {
            asked.incrementAndGet();
            observer.onError(Status.UNAVAILABLE.asRuntimeException());
        });
        f.start();
        await().pollDelay(Duration.ofMillis(700)).until(() -> asked.get() > 1);
        assertThat(asked.get()).isLessThan(10); // 10, 20, 40, 80, 160, 320 ms
    }

    @Test
    void failsWhenTheAgentDoesNotKnowTheProcess() {
        f.server.refuse(AgentServiceGrpc.getWaitProcessMethod(), Status.NOT_FOUND);
        assertThatThrownBy(() -> f.start().waitFor(Duration.ofSeconds(10))).isInstanceOf(NotFoundException.class);
    }

    @Test
    void refusesAnImpossibleCode() {
        f.server.answer(
                AgentServiceGrpc.getWaitProcessMethod(),
                WaitProcessResponse.newBuilder().setStatus(-1).build());
        assertThatThrownBy(() -> f.start().waitFor(Duration.ofSeconds(10)))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("impossible exit code")
                .hasMessageEndingWith(": -1");
    }
}
