// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * Whatever answers CONNECT: what follows a line that says OK reaches gRPC unchanged, anything else ends the connection with
 * a message that can be shown. Runs over the committed inputs; fuzzes if JAZZER_FUZZ=1 is in the environment.
 */
class HybridHelloFuzzTest {
    /** The first byte says in pieces of which size the rest arrives. */
    @FuzzTest(maxDuration = "10m")
    void anyAnswerToConnectIsUnderstoodOrRefused(byte[] input) {
        if (input.length == 0) {
            return;
        }
        int piece = 1 + (input[0] & 0xff);
        String text = new String(input, 1, input.length - 1, StandardCharsets.ISO_8859_1);
        int line = text.indexOf('\n');
        boolean connects = text.startsWith("OK ") && line >= 0 && line < HybridHello.LONGEST_LINE;
        EmbeddedChannel channel = new EmbeddedChannel(new HybridHello(1024));
        StringBuilder handedOn = new StringBuilder();
        try {
            for (int at = 1; at < input.length && channel.isOpen(); at += piece) {
                receive(channel, Unpooled.copiedBuffer(input, at, Math.min(piece, input.length - at)));
                for (ByteBuf next = channel.readInbound(); next != null; next = channel.readInbound()) {
                    handedOn.append(next.toString(StandardCharsets.ISO_8859_1));
                    next.release();
                }
            }
            boolean undecided = line < 0 && text.length() < HybridHello.LONGEST_LINE;
            assertThat(channel.isOpen()).isEqualTo(connects || undecided);
            assertThat(handedOn.toString()).isEqualTo(connects ? text.substring(line + 1) : "");
        } finally {
            finish(channel);
        }
    }

    private static void finish(EmbeddedChannel channel) {
        try {
            var unused = channel.finishAndReleaseAll();
        } catch (Exception e) {
            assertThat(e).isInstanceOf(IOException.class).hasMessageContaining("closed the connection instead");
        }
    }

    private static void receive(EmbeddedChannel channel, ByteBuf bytes) {
        try {
            channel.writeInbound(bytes);
        } catch (Exception e) {
            assertThat(e).isInstanceOf(IOException.class);
            assertThat(e.getMessage()).hasSizeLessThan(3000).doesNotContainPattern("[\\p{Cc}]");
        }
    }
}
