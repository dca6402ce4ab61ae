// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Empty;
import io.grpc.Status;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.WriteStreamResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ProcessInputTest {
    private static final String BROKEN_PIPE = "broken pipe: the process closed its standard input or ended";

    @TempDir
    private Path directory;

    private Fixture f;
    private OutputStream stdin;
    private final AtomicInteger closes = new AtomicInteger();

    @BeforeEach
    void connect() {
        f = new Fixture(directory);
        stdin = f.process().stdin();
        f.server.on(AgentServiceGrpc.getCloseStdinMethod(), (request, observer) -> {
            closes.incrementAndGet();
            observer.onNext(Empty.getDefaultInstance());
            observer.onCompleted();
        });
    }

    @AfterEach
    void close() {
        f.close();
    }

    private void take(ByteArrayOutputStream into, int atMost) {
        f.server.on(AgentServiceGrpc.getWriteStdinMethod(), (request, observer) -> {
            int n = Math.min(atMost, request.getData().size());
            request.getData().substring(0, n).forEach(b -> into.write(b));
            observer.onNext(WriteStreamResponse.newBuilder().setLen(n).build());
            observer.onCompleted();
        });
    }

    @Test
    void writesAllWhenTheGuestTakesOnlyParts() throws Exception {
        ByteArrayOutputStream taken = new ByteArrayOutputStream();
        take(taken, 10_007);
        byte[] data = new byte[700_001];
        new Random(2).nextBytes(data);
        stdin.write(data, 1, data.length - 1);
        stdin.write(7);
        stdin.close();
        byte[] expected = java.util.Arrays.copyOfRange(data, 1, data.length + 1);
        expected[expected.length - 1] = 7;
        assertThat(taken.toByteArray()).isEqualTo(expected);
    }

    @Test
    void closesOnceAndRefusesLaterWrites() throws Exception {
        stdin.close();
        stdin.close();
        assertThat(closes).hasValue(1);
        assertThatThrownBy(() -> stdin.write(1)).isInstanceOf(IOException.class).hasMessage("stream closed");
    }

    @Test
    void closingDoesNothingOnATerminal() throws Exception {
        GuestProcess terminal = f.agent.exec(
                "web",
                "tty",
                ProcessConfig.builder("sh").terminal(new TerminalSize(24, 80)).build(),
                Fixture.soon());
        terminal.stdin().close();
        assertThat(closes).hasValue(0);
    }

    @ParameterizedTest
    @EnumSource(
            value = Status.Code.class,
            names = {"FAILED_PRECONDITION", "NOT_FOUND"})
    void aProcessThatEndedIsABrokenPipeToWritesAndNoErrorToClose(Status.Code code) throws Exception {
        f.server.refuse(AgentServiceGrpc.getWriteStdinMethod(), code.toStatus());
        f.server.refuse(AgentServiceGrpc.getCloseStdinMethod(), code.toStatus());
        assertThatThrownBy(() -> stdin.write(1)).isInstanceOf(IOException.class).hasMessage(BROKEN_PIPE);
        assertThatThrownBy(() -> stdin.write(1)).isInstanceOf(IOException.class).hasMessage(BROKEN_PIPE);
        stdin.close();
    }

    @Test
    void takingNothingMeansABrokenPipe() {
        f.server.answer(AgentServiceGrpc.getWriteStdinMethod(), WriteStreamResponse.getDefaultInstance());
        assertThatThrownBy(() -> stdin.write(1)).hasMessage(BROKEN_PIPE);
    }

    @Test
    void takingMoreThanWasSentIsAnError() {
        f.server.answer(
                AgentServiceGrpc.getWriteStdinMethod(),
                WriteStreamResponse.newBuilder().setLen(2).build());
        assertThatThrownBy(() -> stdin.write(1)).hasMessageContaining("took 2 of 1 bytes");
    }

    @Test
    void aCloseThatTheAgentRefusesIsAnError() {
        f.server.refuse(AgentServiceGrpc.getCloseStdinMethod(), Status.INTERNAL.withDescription("bad"));
        assertThatThrownBy(() -> stdin.close()).isInstanceOf(IOException.class).hasMessageContaining("bad");
    }

    @Test
    void anInterruptEndsAWriteAndSaysHowMuchWasTaken() throws Exception {
        CountDownLatch second = new CountDownLatch(2);
        CountDownLatch cancelled = new CountDownLatch(1);
        f.server.on(AgentServiceGrpc.getWriteStdinMethod(), (request, observer) -> {
            second.countDown();
            if (second.getCount() == 0) {
                ((io.grpc.stub.ServerCallStreamObserver<WriteStreamResponse>) observer)
                        .setOnCancelHandler(cancelled::countDown);
                return;
            }
            observer.onNext(WriteStreamResponse.newBuilder().setLen(3).build());
            observer.onCompleted();
        });
        AtomicReference<Throwable> error = new AtomicReference<>();
        Thread writer = new Thread(() -> {
            try {
                stdin.write(new byte[10]);
            } catch (IOException e) {
                error.set(Thread.currentThread().isInterrupted() ? e : new AssertionError("flag not set"));
            }
        });
        writer.start();
        assertThat(second.await(10, TimeUnit.SECONDS)).isTrue();
        writer.interrupt();
        writer.join(10_000);
        assertThat(error.get())
                .isInstanceOfSatisfying(
                        InterruptedIOException.class,
                        e -> assertThat(e.bytesTransferred).isEqualTo(3));
        assertThat(cancelled.await(10, TimeUnit.SECONDS)).isTrue();
        assertThatThrownBy(() -> stdin.write(1)).hasMessageContaining("earlier write was interrupted");
        stdin.close();
        assertThat(closes).hasValue(1);
    }

    @Test
    void closingEndsAWriteOfAnotherThread() throws Exception {
        CountDownLatch arrived = new CountDownLatch(1);
        f.server.on(AgentServiceGrpc.getWriteStdinMethod(), (request, observer) -> arrived.countDown());
        CompletableFuture<Void> write = CompletableFuture.runAsync(() -> {
            try {
                stdin.write(1);
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        assertThat(arrived.await(10, TimeUnit.SECONDS)).isTrue();
        stdin.close();
        assertThatThrownBy(() -> write.get(10, TimeUnit.SECONDS)).hasMessageContaining("stream closed");
    }

    @Test
    void aWriteThatWaitsDoesNotHoldUpAReader() throws Exception {
        CountDownLatch arrived = new CountDownLatch(1);
        GuestProcess process = f.start();
        f.server.on(AgentServiceGrpc.getWriteStdinMethod(), (request, observer) -> arrived.countDown());
        f.server.refuse(AgentServiceGrpc.getReadStdoutMethod(), Status.OUT_OF_RANGE);
        CompletableFuture<Void> write = CompletableFuture.runAsync(() -> {
            try {
                process.stdin().write(1);
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        assertThat(arrived.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(process.stdout().read()).isEqualTo(-1);
        assertThat(write).isNotDone();
    }
}
