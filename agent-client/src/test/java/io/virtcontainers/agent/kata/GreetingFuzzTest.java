// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.common.primitives.Bytes;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;

/**
 * What a port may hold before the agent's greeting, and behind it. Runs over the committed inputs; fuzzes if JAZZER_FUZZ=1
 * is in the environment.
 */
class GreetingFuzzTest {
    /**
     * The input is a program: a byte of 0 to 31 sends so many of the bytes that follow it, one from 32 to 127 a part of the
     * greeting, another one the whole greeting.
     */
    @FuzzTest(maxDuration = "10m")
    void onlyWhatFollowsTheGreetingIsHandedOn(byte[] program) {
        EmbeddedChannel channel = new EmbeddedChannel(new Greeting());
        channel.flush(); // gRPC's preface does
        byte[] greeting = take(channel.readOutbound());
        ByteArrayOutputStream sent = new ByteArrayOutputStream();
        for (int at = 0; at < program.length; at++) {
            byte[] part;
            int code = program[at];
            if (code >= 0 && code < 32) {
                part = Arrays.copyOfRange(program, at + 1, Math.min(program.length, at + 1 + code));
                at += part.length;
            } else {
                part = code < 0 ? greeting : Arrays.copyOf(greeting, code % greeting.length);
            }
            sent.writeBytes(part);
            channel.writeInbound(Unpooled.copiedBuffer(part));
        }
        channel.checkException();
        int found = Bytes.indexOf(sent.toByteArray(), greeting);
        ByteArrayOutputStream received = new ByteArrayOutputStream();
        for (ByteBuf part = channel.readInbound(); part != null; part = channel.readInbound()) {
            received.writeBytes(take(part));
        }
        int from = found < 0 ? sent.size() : found + greeting.length;
        assertThat(received.toByteArray()).isEqualTo(Arrays.copyOfRange(sent.toByteArray(), from, sent.size()));
        assertThat(channel.pipeline().get(Greeting.class) == null).isEqualTo(found >= 0);
        assertThat(channel.finish()).as("bytes at the end").isFalse();
    }

    private static byte[] take(ByteBuf buffer) {
        byte[] bytes = new byte[buffer.readableBytes()];
        buffer.readBytes(bytes);
        buffer.release();
        return bytes;
    }
}
