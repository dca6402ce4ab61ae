// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata.yamux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.net.ProtocolException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Stream 1 of a session; the agent's frames are written by hand. */
class YamuxStreamTest {
    private static final String ACK = "000100020000000100000000";

    private EmbeddedChannel channel;

    @BeforeEach
    void open() {
        channel = new EmbeddedChannel();
        channel.freezeTime();
        channel.pipeline().addLast(new YamuxDecoder(), new YamuxStream(1));
        channel.pipeline().fireChannelActive();
    }

    @AfterEach
    void close() {
        channel.releaseInbound();
        channel.releaseOutbound();
        var unusedClosing = channel.close();
    }

    private static ByteBuf bytes(String hex) {
        return Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(hex));
    }

    private static ByteBuf data(int length) {
        ByteBuf frame = Unpooled.buffer(12 + length);
        new YamuxFrame(YamuxFrame.DATA, 0, 1, length).writeTo(frame);
        return frame.writeZero(length);
    }

    private void receive(String hex) {
        channel.writeInbound(bytes(hex));
    }

    /** What was sent since the last call. */
    private String sent() {
        StringBuilder hex = new StringBuilder();
        for (ByteBuf next = channel.readOutbound(); next != null; next = channel.readOutbound()) {
            hex.append(ByteBufUtil.hexDump(next));
            next.release();
        }
        return hex.toString();
    }

    private long received() {
        long length = 0;
        for (ByteBuf next = channel.readInbound(); next != null; next = channel.readInbound()) {
            length += next.readableBytes();
            next.release();
        }
        return length;
    }

    private ChannelFuture write(int length) {
        return channel.writeOneOutbound(Unpooled.buffer(length).writeZero(length));
    }

    @Test
    void opensTheStreamAndPingsWithoutWaitingForTheAgent() {
        assertThat(sent()).isEqualTo("000100010000000100000000" + "000200010000000000000001");
    }

    @Test
    void bytesOfGrpcAreFramedAndUnframed() {
        sent();
        channel.writeOutbound(bytes("505249"));
        assertThat(sent()).isEqualTo("000000000000000100000003" + "505249");
        receive(ACK + "000000000000000100000002" + "abcd" + "0000000000000001");
        receive("00000001" + "ef");
        assertThat(received()).isEqualTo(3);
    }

    @Test
    void sendsNoMoreThanTheWindowAndTellsGrpcToWait() {
        sent();
        ChannelFuture within = write(YamuxStream.WINDOW);
        ChannelFuture beyond = write(100_000);
        channel.flush();
        assertThat(channel.isWritable()).isFalse();
        assertThat(within.isSuccess()).isTrue();
        assertThat(beyond.isDone()).isFalse();
        assertThat(sent().length() / 2).isEqualTo(YamuxStream.WINDOW + 4 * YamuxFrame.HEADER);
        receive("0001000200000001" + "000186a0"); // 100,000 more
        assertThat(beyond.isSuccess()).isTrue();
        assertThat(channel.isWritable()).isTrue();
        assertThat(sent().length() / 2).isEqualTo(100_000 + 2 * YamuxFrame.HEADER);
    }

    @Test
    void opensItsWindowAgainWhenHalfIsUsed() {
        receive(ACK);
        sent();
        channel.writeInbound(data(YamuxStream.WINDOW / 2 - 1));
        assertThat(sent()).isEmpty();
        channel.writeInbound(data(1));
        assertThat(sent()).isEqualTo("000100000000000100020000");
        for (int i = 0; i < 100; i++) {
            channel.writeInbound(data(100_000));
        }
        assertThat(received()).isEqualTo(100 * 100_000 + YamuxStream.WINDOW / 2);
        assertThat(channel.isOpen()).isTrue();
    }

    @Test
    void answersPings() {
        sent();
        receive("00020001000000000000abcd");
        assertThat(sent()).isEqualTo("00020002000000000000abcd");
    }

    @Test
    void pingsAgainOnlyAfterAnAnswer() {
        sent();
        channel.advanceTimeBy(1, TimeUnit.HOURS); // a paused machine
        channel.runScheduledPendingTasks();
        assertThat(sent()).isEmpty();
        assertThat(channel.isOpen()).isTrue();
        receive("000200020000000000000009"); // of an earlier client
        channel.advanceTimeBy(YamuxStream.PING_SECONDS, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        assertThat(sent()).isEmpty();
        receive("000200020000000000000001");
        channel.advanceTimeBy(YamuxStream.PING_SECONDS, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        assertThat(sent()).isEqualTo("000200010000000000000002");
    }

    @Test
    void framesOfAnEarlierStreamAreDroppedAndRefused() {
        sent();
        receive("000000000000000500000004" + "deadbeef" + ACK + "000000000000000100000001" + "aa");
        assertThat(received()).isEqualTo(1);
        assertThat(sent()).isEqualTo("000100080000000500000000");
        receive("000000040000000500000001" + "aa" + "000100080000000500000000"); // its end needs no answer
        assertThat(received()).isZero();
        assertThat(sent()).isEmpty();
    }

    @Test
    void theEndOfTheStreamEndsTheConnectionAfterItsLastBytes() {
        receive(ACK + "000000040000000100000002" + "aabb");
        assertThat(received()).isEqualTo(2);
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void tellsTheAgentOfItsEndAndFailsWhatWaits() {
        ChannelFuture beyond = write(YamuxStream.WINDOW + 1);
        channel.flush();
        sent();
        var unusedClosing = channel.close();
        assertThat(sent()).isEqualTo("000100040000000100000000");
        assertThat(beyond.isDone()).isTrue();
        assertThat(beyond.isSuccess()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "000100080000000100000000, refused a yamux stream",
        ACK + "000100080000000100000000, reset the yamux stream",
        "000300000000000000000000, normal termination (0)",
        "000300000000000000000001, protocol error (1)",
        "0003000000000000ffffffff, unknown reason (4294967295)",
    })
    void anEndByTheAgentHasItsReason(String hex, String why) {
        assertThatThrownBy(() -> receive(hex))
                .isInstanceOf(IOException.class)
                .isNotInstanceOf(ProtocolException.class)
                .hasMessageContaining(why);
        assertThat(channel.isOpen()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "000000000000000100040001, more than the yamux window",
        "0000000000000001ffffffff, more than the yamux window",
        "000100010000000200000000, opened a yamux stream",
        "000000000000000200000001, opened a yamux stream",
        "000100010000000100000000, that is open",
        ACK + ACK + ", that is open",
        "0001000000000001ffffffff, beyond all bounds",
        "000200000000000000000001, neither one nor an answer",
        "010000000000000000000001, version 1",
    })
    void aBrokenRuleEndsTheConnectionAndWhatFollowsIsNotAnswered(String hex, String why) {
        String ping = "00020001000000000000abcd";
        assertThatThrownBy(() -> receive(hex + ping))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining(why);
        assertThat(channel.isOpen()).isFalse();
        assertThat(received()).isZero();
        assertThat(sent()).doesNotContain("00020002");
    }

    @Test
    void theWindowHoldsOverSeveralFramesWithoutAnyOfThemBeingRead() {
        EmbeddedChannel stuck = channel;
        ByteBuf frames = Unpooled.buffer();
        for (int i = 0; i < 3; i++) {
            ByteBuf frame = data(100_000);
            frames.writeBytes(frame);
        }
        assertThatThrownBy(() -> stuck.writeInbound(frames))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("more than the yamux window of 62144 bytes");
    }

    @Test
    void anAgentThatDoesNotReadTheAnswersIsCutOff() {
        EmbeddedChannel unread = new EmbeddedChannel(new Unread(), new YamuxDecoder(), new YamuxStream(1));
        for (int i = 0; i < YamuxStream.MOST_REPLIES_WAITING; i++) {
            unread.writeInbound(bytes("000200010000000000000001"));
        }
        assertThatThrownBy(() -> unread.writeInbound(bytes("000200010000000000000001")))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("does not read the answers");
        assertThat(unread.isOpen()).isFalse();
    }

    /** Nothing that is written ever leaves. */
    private static final class Unread extends io.netty.channel.ChannelOutboundHandlerAdapter {
        @Override
        public void write(
                io.netty.channel.ChannelHandlerContext context,
                Object message,
                io.netty.channel.ChannelPromise promise) {
            ((ByteBuf) message).release();
        }
    }
}
