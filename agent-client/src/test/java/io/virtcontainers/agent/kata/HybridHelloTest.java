// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.net.ProtocolException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HybridHelloTest {
    private final Grpc grpc = new Grpc();
    private EmbeddedChannel channel;

    /** Sees what gRPC would. */
    private static final class Grpc extends ChannelInboundHandlerAdapter {
        private int active;

        @Override
        public void channelActive(ChannelHandlerContext context) {
            active++;
        }
    }

    @BeforeEach
    void open() {
        channel = new EmbeddedChannel();
        channel.freezeTime();
        channel.pipeline().addLast(new HybridHello(1024, Duration.ofSeconds(3)), grpc);
        channel.pipeline().fireChannelActive();
    }

    private void receive(String text) {
        channel.writeInbound(Unpooled.copiedBuffer(text, StandardCharsets.US_ASCII));
    }

    private static String text(ByteBuf bytes) {
        try {
            return bytes.toString(StandardCharsets.US_ASCII);
        } finally {
            bytes.release();
        }
    }

    @Test
    void asksForThePortAndHoldsGrpcBackUntilTheAnswer() {
        assertThat(text(channel.readOutbound())).isEqualTo("CONNECT 1024\n");
        receive("O");
        receive("K 107");
        assertThat(grpc.active).isZero();
        receive("3741824\nPRI");
        assertThat(grpc.active).isEqualTo(1);
        assertThat(text(channel.readInbound())).isEqualTo("PRI");
        receive("more");
        assertThat(text(channel.readInbound())).isEqualTo("more");
        channel.advanceTimeBy(1, TimeUnit.HOURS);
        channel.runScheduledPendingTasks();
        assertThat(channel.isOpen()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ERR no such port\n", "OK\n", "ok 12\n", "\n", "NOT OK 1\n", "O\u001b[31mK 1\n"})
    void anotherAnswerEndsTheConnectionAndIsQuoted(String answer) {
        assertThatThrownBy(() -> receive(answer))
                .isInstanceOf(IOException.class)
                .isNotInstanceOf(ProtocolException.class)
                .hasMessageContaining("answered CONNECT with \"")
                .hasMessageNotContaining("\u001b");
        assertThat(channel.isOpen()).isFalse();
        assertThat(grpc.active).isZero();
    }

    @Test
    void anEndlessAnswerIsCutOff() {
        assertThatThrownBy(() -> receive("OK " + "1".repeat(1 << 20) + "\nOK 1\n"))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("longer than 64 bytes");
        assertThat(channel.isOpen()).isFalse();
        assertThat(grpc.active).isZero();
    }

    @Test
    void aSilentHypervisorIsLeft() {
        channel.advanceTimeBy(3, TimeUnit.SECONDS);
        channel.runScheduledPendingTasks();
        assertThatThrownBy(channel::checkException)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("did not answer CONNECT within 3000 ms");
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void aConnectionThatIsClosedInsteadIsExplained() {
        receive("O");
        var unused = channel.close();
        assertThatThrownBy(channel::checkException)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("nothing listens on port 1024 in the guest");
    }
}
