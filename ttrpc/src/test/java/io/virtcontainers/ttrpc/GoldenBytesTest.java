// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The bytes on the wire, written out by hand from PROTOCOL.md (the header), request.proto and status.proto (the fields)
 * and the protobuf encoding (tag = field number * 8 + wire type).
 */
class GoldenBytesTest {
    private static final String REQUEST = """
            00000030 00000003 01 00             length 48, stream 3, a request, no flags
            0a 0b 677270632e4865616c7468        1 service: "grpc.Health"
            12 05 436865636b                    2 method: "Check"
            1a 02 0801                          3 payload: 08 01
            20 80e497d012                       4 timeout_nano: 5,000,000,000
            2a 06 0a016b 120176                 5 metadata: 1 key "k", 2 value "v"
            2a 08 0a016b 1203777777             5 metadata: 1 key "k", 2 value "www"
            """;
    private static final TtrpcRequest CHECK = new TtrpcRequest(
            "grpc.Health", "Check", ByteString.copyFrom(new byte[] {8, 1}), Map.of("k", List.of("v", "www")));

    private static final String ANSWER = """
            00000007 00000003 02 00             length 7, stream 3, a response, no flags
            0a 00                               1 status: all its fields have their defaults, so: OK
            12 03 616263                        2 payload: "abc"
            """;
    private static final String REFUSAL = """
            0000000b 00000003 02 00             length 11, stream 3, a response, no flags
            0a 09                               1 status
               08 05                              1 code: 5, NOT_FOUND
               12 05 6e6f207669                   2 message: "no vi"
            """;

    @Test
    void requestIsWritten() {
        RequestMessage message = new RequestMessage(CHECK, Duration.ofSeconds(5).toNanos());
        EmbeddedChannel channel = new EmbeddedChannel(new FrameEncoder());

        channel.writeOutbound(Frame.request(3, message.encode()));

        assertThat(written(channel)).isEqualTo(hex(REQUEST));
        assertThat(channel.finish()).isFalse();
    }

    @Test
    void requestOfTheClientHasTheFirstStreamAndItsTimeout() {
        ClientHandler handler = new ClientHandler(1);
        EmbeddedChannel channel = channel(handler);

        handler.submit(new ClientCall(
                new TtrpcRequest("s", "m", ByteString.EMPTY), Deadline.after(Duration.ofNanos(Long.MAX_VALUE))));
        handler.submit(new ClientCall(
                new TtrpcRequest("s", "m", ByteString.EMPTY), Deadline.after(Duration.ofNanos(Long.MAX_VALUE))));

        // A timeout of about a hundred years takes 9 bytes.
        assertThat(written(channel)).startsWith("00000010 00000001 01 00 0a0173 12016d 20".replace(" ", ""));
        assertThat(written(channel)).startsWith("00000010 00000003 01 00 0a0173 12016d 20".replace(" ", ""));
        channel.finishAndReleaseAll();
    }

    @Test
    void requestIsUnderstoodByTheServerAndAnswered() {
        TtrpcMethod method = (request, deadline) -> {
            assertThat(request).isEqualTo(CHECK);
            assertThat(deadline.remaining()).isBetween(Duration.ofSeconds(1), Duration.ofSeconds(5));
            return CompletableFuture.completedFuture(ByteString.copyFromUtf8("abc"));
        };

        assertThat(served(method, REQUEST)).isEqualTo(hex(ANSWER));
    }

    @Test
    void refusalIsWrittenByTheServer() {
        TtrpcMethod method = (request, deadline) -> {
            throw new TtrpcException(StatusCode.NOT_FOUND, "no vi");
        };

        assertThat(served(method, REQUEST)).isEqualTo(hex(REFUSAL));
    }

    @Test
    void answerIsUnderstoodByTheClient() {
        assertThat(answered(ANSWER)).isCompletedWithValue(ByteString.copyFromUtf8("abc"));
    }

    @Test
    void answerOfGoServerHasNoStatus() {
        assertThat(answered("00000005 00000003 02 00  12 03 616263"))
                .isCompletedWithValue(ByteString.copyFromUtf8("abc"));
    }

    @Test
    void emptyAnswerIsSuccess() {
        assertThat(answered("00000000 00000003 02 00")).isCompletedWithValue(ByteString.EMPTY);
    }

    @ParameterizedTest
    @CsvSource({
        "'0000000b 00000003 02 00  0a 09 0805 12056e6f207669', NOT_FOUND, no vi",
        "'00000006 00000003 02 00  0a 04 0863 1200', UNKNOWN, 99 is no code",
        "'0000000d 00000003 02 00  0a 0b 08ffffffffffffffffff01', UNKNOWN, nor is -1",
        "'0000000f 00000003 02 00  0a 0d 0809 120161 1a06 0a01 74 120176', FAILED_PRECONDITION, details are skipped",
        "'00000002 00000003 02 00  0aff', INTERNAL, not protobuf",
        "'00000001 00000003 03 00  00', INTERNAL, stream data",
        "'00000001 00000003 03 01  00', INTERNAL, stream data that ends the stream",
        "'00000001 00000003 01 00  00', INTERNAL, a request",
        "'00400001 00000003 02 00', RESOURCE_EXHAUSTED, 4 MiB and a byte",
    })
    void answerWithAnErrorHasItsCode(String response, StatusCode code, String why) {
        assertThat(answered(response))
                .as(why)
                .failsWithin(Duration.ZERO)
                .withThrowableThat()
                .havingCause()
                .isInstanceOfSatisfying(
                        TtrpcException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    @ParameterizedTest
    @CsvSource({
        "'00000000 00000002 01 00', 3, an even stream",
        "'00000000 00000001 01 00', 12, no service is named",
        "'00000008 00000001 01 00  0a0173 1205786d6c', 3, a field is longer than the message",
        "'00000007 00000001 01 00  0a0178 1202786d', 12, no such service",
        "'00000006 00000001 01 00  0a0173 120178', 12, no such method",
        "'00000006 00000001 01 01  0a0173 12016d', 12, a streaming call whose client sends no more",
        "'00000006 00000001 01 02  0a0173 12016d', 12, a streaming call",
        "'00000001 00000001 03 00  00', 3, data without a stream",
        "'00400001 00000001 01 00', 8, 4 MiB and a byte",
        "'ffffffff 00000001 01 00', 8, as long as can be said",
    })
    void badRequestIsAnsweredOnItsStream(String request, int code, String why) throws Exception {
        String response = served((ignored, deadline) -> new CompletableFuture<>(), request);

        String stream = hex(request).substring(8, 16);
        assertThat(response.substring(8, 20)).as(why).isEqualTo(stream + "0200");
        ByteString data = ByteString.copyFrom(ByteBufUtil.decodeHexDump(response.substring(20)));
        assertThat(ResponseMessage.parse(data).code().number()).as(why).isEqualTo(code);
    }

    @ParameterizedTest
    @CsvSource({
        "'00000002 00000001 02 00  0a00', a response",
        "'00000001 00000001 04 00  00', a type that the specification does not know"
    })
    void othersFramesAreIgnoredByTheServer(String frame, String why) {
        assertThat(served((ignored, deadline) -> new CompletableFuture<>(), frame))
                .as(why)
                .isEmpty();
    }

    private static String served(TtrpcMethod method, String bytes) {
        var services = Map.of("grpc.Health", Map.of("Check", method), "s", Map.of("m", method));
        EmbeddedChannel channel = channel(new ServerConnection(services, Runnable::run, 1));
        channel.writeInbound(bytes(bytes));
        String response = written(channel);
        assertThat(channel.isOpen()).isTrue();
        channel.finishAndReleaseAll();
        return response;
    }

    private static ClientCall answered(String bytes) {
        ClientHandler handler = new ClientHandler(3);
        EmbeddedChannel channel = channel(handler);
        ClientCall call = new ClientCall(CHECK, Deadline.after(Duration.ofDays(1)));
        handler.submit(call);
        channel.writeInbound(bytes(bytes));
        assertThat(call).isDone();
        assertThat(channel.isOpen()).isTrue();
        channel.finishAndReleaseAll();
        return call;
    }

    private static EmbeddedChannel channel(ChannelHandler handler) {
        return new EmbeddedChannel(new FrameDecoder(), new FrameEncoder(), handler);
    }

    /** The next bytes that were written, none if nothing was. */
    private static String written(EmbeddedChannel channel) {
        ByteBuf bytes = channel.readOutbound();
        if (bytes == null) {
            return "";
        }
        try {
            return ByteBufUtil.hexDump(bytes);
        } finally {
            bytes.release();
        }
    }

    private static ByteBuf bytes(String dump) {
        return Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(hex(dump)));
    }

    /** The digits of each line up to its remark, which follows four blanks. */
    private static String hex(String dump) {
        StringBuilder digits = new StringBuilder();
        dump.lines().map(line -> line.strip().split(" {4,}", 2)[0]).forEach(digits::append);
        return digits.toString().replace(" ", "");
    }
}
