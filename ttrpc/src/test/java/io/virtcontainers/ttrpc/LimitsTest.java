// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import static io.virtcontainers.ttrpc.Fixture.SERVICE;
import static io.virtcontainers.ttrpc.Fixture.bytes;
import static io.virtcontainers.ttrpc.Fixture.request;
import static io.virtcontainers.ttrpc.Fixture.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(120)
class LimitsTest {
    private static final int LIMIT = 4 * 1024 * 1024; // PROTOCOL.md: the maximum data length is 4MB

    /** An answer is its payload, 2 bytes of status, and tag and length of the payload: 1 and 4 bytes. */
    private static final int LARGEST_ANSWER = LIMIT - 2 - 5;

    /** A request has besides tag, length and text of service and method, and tag and 5 bytes of a timeout of 30 s. */
    private static final int LARGEST_REQUEST = LIMIT - (2 + SERVICE.length()) - (2 + 4) - 6 - 5;

    @RegisterExtension
    private final Fixture fixture = new Fixture();

    @Test
    void largestRequestIsServedAndOneByteMoreIsNotSent() {
        List<Integer> sizes = new ArrayList<>();
        fixture.listening(fixture.builder().method(SERVICE, "size", (request, deadline) -> {
            sizes.add(request.payload().size());
            return CompletableFuture.completedFuture(ByteString.EMPTY);
        }));
        TtrpcClient client = fixture.client();

        client.call(request("size", zeros(LARGEST_REQUEST)), seconds(30));
        assertTooMuch(
                () -> client.call(request("size", zeros(LARGEST_REQUEST + 1)), seconds(30)),
                "the request has 4194305 bytes");

        client.call(request("size"), seconds(30));
        assertThat(sizes).containsExactly(LARGEST_REQUEST, 0);
    }

    @Test
    void largestAnswerArrivesAndOneByteMoreIsAnError() {
        fixture.listening(fixture.builder()
                .method(
                        SERVICE,
                        "most",
                        (request, deadline) -> CompletableFuture.completedFuture(zeros(LARGEST_ANSWER)))
                .method(
                        SERVICE,
                        "more",
                        (request, deadline) -> CompletableFuture.completedFuture(zeros(LARGEST_ANSWER + 1))));
        TtrpcClient client = fixture.client();

        assertThat(client.call(request("most"), seconds(30)).size()).isEqualTo(LARGEST_ANSWER);
        assertTooMuch(() -> client.call(request("more"), seconds(30)), "the answer has 4194305 bytes");
        assertThat(client.call(request("echo", bytes("on")), seconds(30))).isEqualTo(bytes("on"));
    }

    @Test
    void serverRefusesATooLongRequestAndGoesOn() throws Exception {
        fixture.listening();
        try (RawPeer client = RawPeer.connect(fixture.socket)) {
            client.header(LIMIT + 1, 1, 1, 0);
            ResponseMessage early = client.readResponse(1);
            assertThat(early.code()).isEqualTo(StatusCode.RESOURCE_EXHAUSTED);
            assertThat(early.message()).isEqualTo("the message has 4194305 bytes, more than 4194304");
            client.send(ByteBuffer.allocate(LIMIT + 1));

            client.request(3, SERVICE, "echo", bytes("on"), 0);
            assertThat(client.readResponse(3).payload()).isEqualTo(bytes("on"));
        }
    }

    @Test
    void clientFailsTheCallOfATooLongAnswerAndGoesOn() throws Exception {
        try (ServerSocketChannel listening = RawPeer.listen(fixture.socket)) {
            TtrpcClient client = fixture.client();
            try (RawPeer server = RawPeer.accept(listening)) {
                CompletableFuture<ByteString> first = client.start(request("any"), seconds(30));
                CompletableFuture<ByteString> second = client.start(request("any"), seconds(30));
                server.read();
                server.read();
                server.header(LIMIT + 1, 1, 2, 0);
                assertThat(first)
                        .failsWithin(Duration.ofSeconds(10))
                        .withThrowableThat()
                        .havingCause()
                        .isInstanceOfSatisfying(
                                TtrpcException.class,
                                e -> assertThat(e.code()).isEqualTo(StatusCode.RESOURCE_EXHAUSTED));
                server.send(ByteBuffer.allocate(LIMIT + 1));
                server.response(3, bytes("on"));
                assertThat(second.join()).isEqualTo(bytes("on"));
            }
        }
    }

    @Test
    void tooLongMessageIsNeverHeld() {
        FrameDecoder decoder = new FrameDecoder();
        EmbeddedChannel channel = new EmbeddedChannel(decoder);
        channel.writeInbound(Unpooled.wrappedBuffer(new byte[] {-1, -1, -1, -1, 0, 0, 0, 1, 1, 0}));

        assertThat(channel.<Inbound>readInbound()).isEqualTo(new TooLongFrame(1, 0xFFFF_FFFFL));
        byte[] piece = new byte[1 << 20];
        for (int i = 0; i < 4095; i++) {
            channel.writeInbound(Unpooled.wrappedBuffer(piece));
            assertThat(decoder.held()).isZero();
        }
        channel.writeInbound(Unpooled.wrappedBuffer(piece, 0, piece.length - 1));
        assertThat(channel.inboundMessages()).isEmpty();

        channel.writeInbound(Unpooled.wrappedBuffer(new byte[] {0, 0, 0, 1, 0, 0, 0, 3, 1, 0, 42}));
        assertThat(channel.<Frame>readInbound().data()).isEqualTo(ByteString.copyFrom(new byte[] {42}));
        assertThat(channel.finish()).isFalse();
    }

    @Test
    void requestsInServiceAreLimitedInBytes() {
        List<CompletableFuture<ByteString>> answers = new ArrayList<>();
        TtrpcMethod method = (request, deadline) -> {
            CompletableFuture<ByteString> answer = new CompletableFuture<>();
            answers.add(answer);
            return answer;
        };
        ServerConnection connection =
                new ServerConnection(Map.of(SERVICE, Map.of("hang", method)), Runnable::run, 1000);
        FuzzedBytes peer = new FuzzedBytes(connection);
        ByteString request = filledUp(new RequestMessage(request("hang", bytes("a")), 0).encode());

        for (int stream = 1; stream <= 2 * 17; stream += 2) {
            EmbeddedChannel client = new EmbeddedChannel(new FrameEncoder());
            client.writeOutbound(Frame.request(stream, request));
            peer.channel.writeInbound(client.<Object>readOutbound());
            client.finishAndReleaseAll();
        }

        // 16 times 4 MiB may be in service, whether in the payload or not.
        assertThat(answers).hasSize(16);
        assertThat(peer.sent()).singleElement().satisfies(frame -> {
            assertThat(frame.streamId()).isEqualTo(33);
            assertThat(ResponseMessage.parse(frame.data()).code()).isEqualTo(StatusCode.RESOURCE_EXHAUSTED);
        });
        peer.close();
        assertThat(connection.requests()).isZero();
    }

    @Test
    void metadataAreLimited() throws Exception {
        fixture.listening();
        try (RawPeer client = RawPeer.connect(fixture.socket)) {
            ByteString valid = new RequestMessage(request("echo", bytes("on")), 0).encode();
            ByteString metadata = ByteString.copyFrom(new byte[] {0x2a, 0});
            ByteString most = valid;
            for (int i = 0; i < RequestMessage.MOST_METADATA; i++) {
                most = most.concat(metadata);
            }

            client.send(1, 1, 0, most.concat(metadata));
            assertThat(client.readResponse(1).code()).isEqualTo(StatusCode.INVALID_ARGUMENT);
            client.send(3, 1, 0, most);
            assertThat(client.readResponse(3).payload()).isEqualTo(bytes("on"));
        }
    }

    @Test
    void deepGroupsAreNoRequest() throws Exception {
        fixture.listening();
        byte[] groups = new byte[1 << 20];
        Arrays.fill(groups, (byte) 0x33); // 6: a group begins
        try (RawPeer client = RawPeer.connect(fixture.socket)) {
            client.send(1, 1, 0, ByteString.copyFrom(groups));
            assertThat(client.readResponse(1).code()).isEqualTo(StatusCode.INVALID_ARGUMENT);
        }
    }

    @Test
    void textOfTheServerIsCutAndCleaned() throws Exception {
        try (ServerSocketChannel listening = RawPeer.listen(fixture.socket)) {
            TtrpcClient client = fixture.client();
            try (RawPeer server = RawPeer.accept(listening)) {
                CompletableFuture<ByteString> call = client.start(request("any"), seconds(30));
                server.read();
                String text = "\u001b[2J\n\u202e" + "x".repeat(1 << 20);
                server.send(
                        1,
                        2,
                        0,
                        ResponseMessage.refusal(StatusCode.ABORTED, text).encode());
                assertThat(call)
                        .failsWithin(Duration.ofSeconds(10))
                        .withThrowableThat()
                        .havingCause()
                        .satisfies(e -> assertThat(e.getMessage())
                                .startsWith("test.Service/any was refused: ABORTED: [2J xxx")
                                .hasSizeLessThan(2100));
            }
        }
    }

    @Test
    void streamsOfAConnectionEndBeforeTheirNumbersRepeat() {
        ClientHandler handler = new ClientHandler(0xFFFF_FFFFL);
        FuzzedBytes server = new FuzzedBytes(handler);
        ClientCall last = new ClientCall(request("any"), seconds(30));
        ClientCall next = new ClientCall(request("any"), seconds(30));

        handler.submit(last);
        assertThat(server.sent()).singleElement().extracting(Frame::streamId).isEqualTo(-1);
        handler.submit(next);

        assertThat(next).isCompletedExceptionally();
        assertThat(last).isCompletedExceptionally();
        assertThat(server.channel.isOpen()).isFalse();
    }

    /** The message as large as may be, by an unknown field 6. */
    private static ByteString filledUp(ByteString message) {
        int length = LIMIT - message.size() - 5;
        ByteString header = ByteString.copyFrom(new byte[] {
            0x32,
            (byte) (length | 0x80),
            (byte) (length >> 7 | 0x80),
            (byte) (length >> 14 | 0x80),
            (byte) (length >> 21)
        });
        return message.concat(header).concat(zeros(length));
    }

    private static ByteString zeros(int size) {
        return ByteString.copyFrom(new byte[size]);
    }

    private static void assertTooMuch(ThrowingCallable call, String message) {
        assertThatThrownBy(call)
                .hasMessageContaining(message)
                .isInstanceOfSatisfying(
                        TtrpcException.class, e -> assertThat(e.code()).isEqualTo(StatusCode.RESOURCE_EXHAUSTED));
    }
}
