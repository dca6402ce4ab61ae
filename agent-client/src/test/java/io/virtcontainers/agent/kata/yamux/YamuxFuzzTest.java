// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata.yamux;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;

/**
 * Whatever the agent sends ends in bytes for gRPC or in an {@link IOException} with the connection closed, and nothing is
 * kept of it beyond bounds. Runs over the committed inputs; fuzzes if JAZZER_FUZZ=1 is in the environment.
 */
class YamuxFuzzTest {
    /** The first byte says in pieces of which size the rest arrives. */
    @FuzzTest(maxDuration = "10m")
    void anythingThatTheAgentSendsIsUnderstoodOrRefused(byte[] input) {
        if (input.length == 0) {
            return;
        }
        int piece = 1 + (input[0] & 0xff);
        EmbeddedChannel channel = new EmbeddedChannel(new YamuxDecoder(), new YamuxStream(1));
        try {
            long given = 0;
            for (int at = 1; at < input.length && channel.isOpen(); at += piece) {
                int length = Math.min(piece, input.length - at);
                if (receive(channel, Unpooled.copiedBuffer(input, at, length))) {
                    assertThat(channel.isOpen()).as("open after an error").isFalse();
                }
                given += length;
                assertThat(drain(channel)).as("answers, each for a frame").isLessThanOrEqualTo(given + 64);
            }
        } finally {
            var unused = channel.finishAndReleaseAll();
        }
    }

    /** @return whether it was refused */
    private static boolean receive(EmbeddedChannel channel, ByteBuf bytes) {
        try {
            channel.writeInbound(bytes);
            return false;
        } catch (Exception e) {
            assertThat(e).isInstanceOf(IOException.class);
            assertThat(e.getMessage()).hasSizeLessThan(300);
            return true;
        }
    }

    /** Takes what came out at both ends. @return the bytes for the agent */
    private static long drain(EmbeddedChannel channel) {
        for (ByteBuf next = channel.readInbound(); next != null; next = channel.readInbound()) {
            next.release();
        }
        long length = 0;
        for (ByteBuf next = channel.readOutbound(); next != null; next = channel.readOutbound()) {
            length += next.readableBytes();
            next.release();
        }
        return length;
    }
}
