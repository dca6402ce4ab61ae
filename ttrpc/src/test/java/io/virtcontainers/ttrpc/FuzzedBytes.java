// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;

/** A connection whose peer sends any bytes, in pieces of any size. */
final class FuzzedBytes {
    /** Netty at most doubles a buffer that grows, up to 4 MiB, and then adds 4 MiB. */
    private static final int MOST_HELD = 2 * Frame.MOST_DATA + (64 << 10);

    private final FrameDecoder decoder = new FrameDecoder();
    final EmbeddedChannel channel;

    FuzzedBytes(ChannelHandler handler) {
        channel = new EmbeddedChannel(decoder, new FrameEncoder(), handler);
    }

    /**
     * Sends all but the first byte, in pieces of as many bytes as the first says; nothing that a peer sends may end the
     * connection by an unforeseen error, nor be held beyond the limit.
     */
    void receive(byte[] input) {
        int piece = input.length == 0 || input[0] == 0 ? Math.max(1, input.length) : Byte.toUnsignedInt(input[0]);
        for (int from = 1; from < input.length; from += piece) {
            int length = Math.min(piece, input.length - from);
            channel.writeInbound(Unpooled.copiedBuffer(input, from, length));
            assertThat(decoder.held()).isLessThanOrEqualTo(MOST_HELD);
        }
        channel.checkException();
        assertThat(channel.isOpen()).as("the connection goes on").isTrue();
        assertThat(channel.inboundMessages()).as("what leaves the pipeline").isEmpty();
    }

    /** The frames that were sent to the peer since the last time. */
    List<Frame> sent() {
        EmbeddedChannel reader = new EmbeddedChannel(new FrameDecoder());
        List<Frame> frames = new ArrayList<>();
        for (ByteBuf bytes = channel.readOutbound(); bytes != null; bytes = channel.readOutbound()) {
            reader.writeInbound(bytes);
        }
        for (Frame frame = reader.readInbound(); frame != null; frame = reader.readInbound()) {
            frames.add(frame);
        }
        assertThat(reader.finish()).isFalse();
        return frames;
    }

    void close() {
        channel.finishAndReleaseAll();
        channel.checkException();
    }
}
