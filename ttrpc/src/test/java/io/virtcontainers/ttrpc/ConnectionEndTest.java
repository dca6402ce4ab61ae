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
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class ConnectionEndTest {
    @RegisterExtension
    private final Fixture fixture = new Fixture();

    @Test
    void serverThatClosesAtOnceFailsAllCallsAndCancelsTheirMethods() {
        TtrpcServer server = fixture.listening();
        TtrpcClient client = fixture.client();
        var calls = hangingCalls(client, 20);

        server.close();

        assertThat(calls).allSatisfy(ConnectionEndTest::assertLost);
        assertThatThrownBy(() -> client.call(request("echo"), seconds(30)))
                .isInstanceOf(TtrpcConnectionLostException.class)
                .hasMessageContaining("was not sent");
        await().until(() -> fixture.hanging.stream().allMatch(CompletableFuture::isCancelled));
        assertThat(fixture.socket).doesNotExist();
    }

    @Test
    void serverThatClosesInTimeAnswersWhatItServes() {
        TtrpcServer server = fixture.listening();
        TtrpcClient client = fixture.client();
        var calls = hangingCalls(client, 2);
        CompletableFuture<Void> closed = CompletableFuture.runAsync(() -> server.close(seconds(30)), fixture.executor);

        await().untilAsserted(() -> assertThatThrownBy(() -> client.call(request("echo"), seconds(30)))
                .isInstanceOfSatisfying(
                        TtrpcException.class, e -> assertThat(e.code()).isEqualTo(StatusCode.UNAVAILABLE))
                .hasMessageContaining("the server is closing"));
        assertThat(closed).isNotDone();
        fixture.hanging.forEach(answer -> answer.complete(bytes("served")));

        assertThat(calls).allSatisfy(call -> assertThat(call.join()).isEqualTo(bytes("served")));
        closed.join();
        assertThat(fixture.socket).doesNotExist();
    }

    @Test
    void serverWaitsNoLongerThanItsDeadline() {
        TtrpcServer server = fixture.listening();
        var calls = hangingCalls(fixture.client(), 1);

        server.close(Deadline.after(Duration.ofMillis(50)));

        assertThat(calls).allSatisfy(ConnectionEndTest::assertLost);
    }

    @Test
    void clientThatClosesFailsItsCallsAndTheServerCancelsTheMethods() {
        fixture.listening();
        TtrpcClient client = fixture.client();
        var calls = hangingCalls(client, 3);

        client.close();

        assertThat(calls).allSatisfy(ConnectionEndTest::assertLost);
        await().until(() -> fixture.hanging.stream().allMatch(CompletableFuture::isCancelled));
        assertThat(fixture.client().call(request("echo", bytes("on")), seconds(30)))
                .isEqualTo(bytes("on"));
    }

    @Test
    void clientThatOnlyStopsSendingIsGoneForTheServer() throws Exception {
        fixture.listening();
        try (RawPeer client = RawPeer.connect(fixture.socket)) {
            client.request(1, SERVICE, "hang", ByteString.EMPTY, 0);
            await().until(() -> !fixture.hanging.isEmpty());

            client.socket.shutdownOutput();

            assertThat(client.isAtEnd()).isTrue();
            await().until(() -> fixture.hanging.element().isCancelled());
        }
    }

    @Test
    void serverThatOnlyStopsSendingIsGoneForTheClient() throws Exception {
        try (ServerSocketChannel listening = RawPeer.listen(fixture.socket)) {
            TtrpcClient client = fixture.client();
            try (RawPeer server = RawPeer.accept(listening)) {
                CompletableFuture<ByteString> call = client.start(request("any"), seconds(30));
                server.read();
                server.socket.shutdownOutput();
                assertLost(call);
                assertThat(server.isAtEnd()).isTrue();
            }
        }
    }

    @Test
    void connectionCutWithinAFrameFailsTheCall() throws Exception {
        try (ServerSocketChannel listening = RawPeer.listen(fixture.socket)) {
            for (int bytes : new int[] {0, 1, 9, 10, 11}) {
                TtrpcClient client = fixture.client();
                try (RawPeer server = RawPeer.accept(listening)) {
                    CompletableFuture<ByteString> call = client.start(request("any"), seconds(30));
                    server.read();
                    server.send(ByteBuffer.wrap(new byte[] {0, 0, 0, 7, 0, 0, 0, 1, 2, 0, 0x0a}, 0, bytes));
                    server.close();
                    assertLost(call);
                }
            }
        }
    }

    @Test
    void garbageIsAnsweredAndTheServerLivesOn() throws Exception {
        fixture.listening();
        try (RawPeer client = RawPeer.connect(fixture.socket)) {
            client.send(ByteBuffer.wrap("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII)));
            // "GET " is the length, "/ HT" the stream.
            assertThat(client.readResponse(0x2f204854).code()).isEqualTo(StatusCode.RESOURCE_EXHAUSTED);
        }
        assertThat(fixture.client().call(request("echo", bytes("on")), seconds(30)))
                .isEqualTo(bytes("on"));
    }

    @Test
    void dataOnTheStreamOfARequestEndIt() throws Exception {
        fixture.listening();
        try (RawPeer client = RawPeer.connect(fixture.socket)) {
            client.request(1, SERVICE, "hang", ByteString.EMPTY, 0);
            client.send(1, Frame.DATA, 0, bytes("data"));

            assertThat(client.readResponse(1).code()).isEqualTo(StatusCode.INVALID_ARGUMENT);
            await().until(() -> fixture.hanging.stream().allMatch(CompletableFuture::isCancelled));
            client.request(3, SERVICE, "echo", bytes("on"), 0);
            assertThat(client.readResponse(3).payload()).isEqualTo(bytes("on"));
        }
    }

    @Test
    void nobodyListens() {
        assertThatThrownBy(() -> fixture.client())
                .isInstanceOf(TtrpcConnectionLostException.class)
                .hasMessageContaining(fixture.socket.toString());
    }

    @Test
    void socketThatExistsIsNotTaken() {
        fixture.listening();
        assertThatThrownBy(() -> fixture.listening())
                .isInstanceOf(VirtException.class)
                .hasMessageContaining("the socket must not exist yet");
        assertThat(fixture.client().call(request("echo", bytes("first")), seconds(30)))
                .isEqualTo(bytes("first"));
    }

    @Test
    void socketThatListensAlreadyIsServed() throws Exception {
        ServerSocketChannel inherited = RawPeer.listen(fixture.socket);
        try (TtrpcServer server = fixture.builder().build()) {
            server.listen(new NioServerDomainSocketChannel(inherited), seconds(10));
            assertThat(fixture.client().call(request("echo", bytes("on")), seconds(30)))
                    .isEqualTo(bytes("on"));
        }
        assertThat(inherited.isOpen()).isFalse();
    }

    @Test
    void eventLoopsThatEndedAreALostConnection() throws Exception {
        fixture.listening();
        TtrpcClient client = fixture.client();
        fixture.loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();

        assertLost(client.start(request("echo"), seconds(30)));
    }

    private List<CompletableFuture<ByteString>> hangingCalls(TtrpcClient client, int number) {
        List<CompletableFuture<ByteString>> calls = Stream.generate(() -> client.start(request("hang"), seconds(30)))
                .limit(number)
                .toList();
        await().until(() -> fixture.hanging.size() == number);
        return calls;
    }

    private static void assertLost(CompletableFuture<ByteString> call) {
        assertThat(call)
                .failsWithin(Duration.ofSeconds(10))
                .withThrowableThat()
                .havingCause()
                .isInstanceOf(TtrpcConnectionLostException.class);
    }
}
