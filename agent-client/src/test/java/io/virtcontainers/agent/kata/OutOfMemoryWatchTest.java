// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.GetOOMEventRequest;
import io.virtcontainers.agent.kata.protocol.OOMEvent;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutOfMemoryWatchTest {
    @TempDir
    private Path directory;

    private Fixture f;
    private final BlockingQueue<StreamObserver<OOMEvent>> asked = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> told = new LinkedBlockingQueue<>();

    @BeforeEach
    void connect() {
        f = new Fixture(directory);
        f.server.on(AgentServiceGrpc.getGetOOMEventMethod(), (request, observer) -> {
            assertThat(request).isEqualTo(GetOOMEventRequest.getDefaultInstance());
            asked.add(observer);
        });
    }

    @AfterEach
    void close() {
        f.close();
    }

    private StreamObserver<OOMEvent> nextAsk() throws InterruptedException {
        StreamObserver<OOMEvent> ask = asked.poll(10, TimeUnit.SECONDS);
        assertThat(ask).as("GetOOMEvent is asked").isNotNull();
        return ask;
    }

    private void event(String containerId) throws InterruptedException {
        StreamObserver<OOMEvent> ask = nextAsk();
        ask.onNext(OOMEvent.newBuilder().setContainerId(containerId).build());
        ask.onCompleted();
    }

    private String nextTold() throws InterruptedException {
        return told.poll(10, TimeUnit.SECONDS);
    }

    @Test
    void tellsOfEveryEventInOrderOnACallbackThread() throws Exception {
        BlockingQueue<String> threads = new LinkedBlockingQueue<>();
        f.agent.onOutOfMemory(id -> {
            threads.add(Thread.currentThread().getName());
            told.add(id);
        });
        event("web");
        event("db");
        event("web");
        assertThat(nextTold()).isEqualTo("web");
        assertThat(nextTold()).isEqualTo("db");
        assertThat(nextTold()).isEqualTo("web");
        assertThat(threads).allMatch(name -> name.startsWith("agent-callback"));
        assertThat(nextAsk()).isNotNull();
    }

    @Test
    void doesNotAskWhileTheListenerIsBusy() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        f.agent.onOutOfMemory(id -> {
            told.add(id);
            awaitUnchecked(release);
        });
        event("web");
        assertThat(nextTold()).isEqualTo("web");
        assertThat(asked.poll(100, TimeUnit.MILLISECONDS)).isNull();
        release.countDown();
        assertThat(nextAsk()).isNotNull();
    }

    private static void awaitUnchecked(CountDownLatch latch) {
        try {
            assertThat(latch.await(10, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void aListenerThatFailsHearsOfTheNextEventAllTheSame() throws Exception {
        f.agent.onOutOfMemory(id -> {
            told.add(id);
            throw new IllegalStateException("of the listener");
        });
        event("web");
        event("db");
        assertThat(nextTold()).isEqualTo("web");
        assertThat(nextTold()).isEqualTo("db");
    }

    @Test
    void anAgentWithoutTheMethodIsNotAskedAgain() throws Exception {
        f.agent.onOutOfMemory(told::add);
        nextAsk().onError(Status.UNIMPLEMENTED.asRuntimeException());
        assertThat(asked.poll(200, TimeUnit.MILLISECONDS)).isNull();
    }

    @Test
    void asksAgainOnANewConnection() throws Exception {
        f.agent.onOutOfMemory(told::add);
        assertThat(nextAsk()).isNotNull();
        f.server.drop();
        f.server.restart();
        event("web");
        assertThat(nextTold()).isEqualTo("web");
    }

    @Test
    void asksAgainAfterErrorsWithPausesThatGrow() {
        AtomicInteger count = new AtomicInteger();
        f.server.on(AgentServiceGrpc.getGetOOMEventMethod(), (request, observer) -> {
            count.incrementAndGet();
            observer.onError(Status.INTERNAL.asRuntimeException());
        });
        f.agent.onOutOfMemory(told::add);
        await().pollDelay(Duration.ofMillis(700)).until(() -> count.get() > 1);
        assertThat(count.get()).isLessThan(10); // 10, 20, 40, 80, 160, 320 ms
    }

    @Test
    void doesNotTellOfAContainerThatCannotBe() throws Exception {
        f.agent.onOutOfMemory(told::add);
        event("../../etc\n");
        event("");
        event("x".repeat(100_000));
        event("web");
        assertThat(nextTold()).isEqualTo("web");
    }

    @Test
    void endsWithTheConnection() throws Exception {
        f.agent.onOutOfMemory(told::add);
        assertThat(nextAsk()).isNotNull();
        f.agent.abort(new VmDiedException("gone"));
        assertThat(asked.poll(200, TimeUnit.MILLISECONDS)).isNull();
    }

    @Test
    void beginsBeforeTheConnectionIsUp() throws Exception {
        f.server.drop();
        f.agent.onOutOfMemory(told::add);
        f.server.restart();
        event("web");
        assertThat(nextTold()).isEqualTo("web");
    }
}
