// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import static io.virtcontainers.ttrpc.Fixture.SERVICE;
import static io.virtcontainers.ttrpc.Fixture.bytes;
import static io.virtcontainers.ttrpc.Fixture.request;
import static io.virtcontainers.ttrpc.Fixture.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import io.virtcontainers.CancelledException;
import io.virtcontainers.spi.Deadline;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class DeadlinesTest {
    @RegisterExtension
    private final Fixture fixture = new Fixture();

    @Test
    void silentServerDoesNotHoldTheClient() throws Exception {
        try (ServerSocketChannel listening = RawPeer.listen(fixture.socket)) {
            TtrpcClient client = fixture.client();
            try (RawPeer server = RawPeer.accept(listening)) {
                assertLate(() -> client.call(request("any"), Deadline.after(Duration.ofMillis(50))));
                CompletableFuture<ByteString> late =
                        client.start(request("any"), Deadline.after(Duration.ofMillis(50)));
                assertThat(late)
                        .failsWithin(Duration.ofSeconds(10))
                        .withThrowableThat()
                        .havingCause()
                        .isInstanceOf(TtrpcException.class);

                CompletableFuture<ByteString> next = client.start(request("any"), seconds(30));
                assertThat(server.read().streamId()).isEqualTo(1);
                assertThat(server.read().streamId()).isEqualTo(3);
                assertThat(server.read().streamId()).isEqualTo(5);
                server.response(1, bytes("late"));
                server.response(3, bytes("late"));
                server.response(5, bytes("in time"));
                assertThat(next.join()).isEqualTo(bytes("in time"));
            }
        }
    }

    @Test
    void deadlineIsSentAsTheTimeThatIsLeft() throws Exception {
        try (ServerSocketChannel listening = RawPeer.listen(fixture.socket)) {
            TtrpcClient client = fixture.client();
            try (RawPeer server = RawPeer.accept(listening)) {
                var call = client.start(request("any"), seconds(30));
                long nanos = RequestMessage.parse(server.read().data()).timeoutNanos();
                assertThat(Duration.ofNanos(nanos)).isBetween(Duration.ofSeconds(10), Duration.ofSeconds(30));
                call.cancel(false);
            }
        }
    }

    @Test
    void callAfterItsDeadlineIsNotSent() {
        fixture.listening();
        TtrpcClient client = fixture.client();

        assertThat(client.start(request("hang"), Deadline.after(Duration.ZERO)))
                .failsWithin(Duration.ofSeconds(10))
                .withThrowableThat()
                .havingCause()
                .isInstanceOf(TtrpcException.class);
        client.call(request("echo"), seconds(30));
        assertThat(fixture.hanging).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(longs = {50_000_000, 1, -1, Long.MIN_VALUE})
    void serverEndsAMethodAtTheDeadlineOfTheClient(long timeoutNanos) throws Exception {
        fixture.listening();
        try (RawPeer client = RawPeer.connect(fixture.socket)) {
            client.request(1, SERVICE, "hang", ByteString.EMPTY, timeoutNanos);

            ResponseMessage response = client.readResponse(1);

            assertThat(response.code()).isEqualTo(StatusCode.DEADLINE_EXCEEDED);
            assertThat(response.message()).contains("test.Service/hang");
            await().untilAsserted(() -> assertThat(fixture.hanging).allMatch(CompletableFuture::isCancelled));
            client.request(3, SERVICE, "echo", bytes("on"), 0);
            assertThat(client.readResponse(3).payload()).isEqualTo(bytes("on"));
        }
    }

    @Test
    void methodThatBlocksDelaysNoOther() {
        CountDownLatch release = new CountDownLatch(1);
        fixture.listening(fixture.builder().method(SERVICE, "block", (request, deadline) -> {
            assertThat(deadline.remaining()).isGreaterThan(Duration.ofDays(365));
            try {
                assertThat(release.await(30, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            return CompletableFuture.completedFuture(bytes("released"));
        }));
        TtrpcClient client = fixture.client();

        Deadline far = Deadline.after(Duration.ofSeconds(Long.MAX_VALUE));
        CompletableFuture<ByteString> blocked = client.start(request("block"), far);
        assertThat(client.call(request("echo", bytes("on")), seconds(30))).isEqualTo(bytes("on"));
        release.countDown();
        assertThat(blocked.join()).isEqualTo(bytes("released"));
    }

    @Test
    void cancelledCallIsForgottenAndTheConnectionGoesOn() {
        fixture.listening();
        TtrpcClient client = fixture.client();
        CompletableFuture<ByteString> call = client.start(request("hang"), seconds(30));
        await().until(() -> !fixture.hanging.isEmpty());

        assertThat(call.cancel(false)).isTrue();
        fixture.hanging.remove().complete(bytes("nobody wants this"));

        assertThat(client.call(request("echo", bytes("on")), seconds(30))).isEqualTo(bytes("on"));
    }

    @Test
    void interruptEndsTheWait() throws Exception {
        fixture.listening();
        TtrpcClient client = fixture.client();
        AtomicBoolean interrupted = new AtomicBoolean();
        CompletableFuture<Throwable> error = new CompletableFuture<>();
        Thread caller = new Thread(() -> {
            try {
                client.call(request("hang"), seconds(30));
            } catch (RuntimeException e) {
                interrupted.set(Thread.currentThread().isInterrupted());
                error.complete(e);
            }
        });
        caller.start();
        await().until(() -> !fixture.hanging.isEmpty());

        caller.interrupt();

        assertThat(error.get(10, TimeUnit.SECONDS)).isInstanceOf(CancelledException.class);
        assertThat(interrupted).isTrue();
        caller.join();
    }

    @Test
    void blockingOnTheEventLoopIsRefused() {
        fixture.listening();
        TtrpcClient client = fixture.client();

        CompletableFuture<ByteString> first = client.start(request("hang"), seconds(30));
        CompletableFuture<ByteString> nested = first.thenApply(answer -> client.call(request("echo"), seconds(5)));
        await().until(() -> !fixture.hanging.isEmpty());
        fixture.hanging.remove().complete(ByteString.EMPTY);

        assertThat(nested)
                .failsWithin(Duration.ofSeconds(10))
                .withThrowableThat()
                .havingCause()
                .isInstanceOf(IllegalStateException.class);
    }

    private static void assertLate(ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        TtrpcException.class, e -> assertThat(e.code()).isEqualTo(StatusCode.DEADLINE_EXCEEDED));
    }
}
