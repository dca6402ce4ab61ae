// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Tells the bytes of this connection from those of an earlier one, which a virtio-serial port, as it has no connections,
 * may still hold: sends 24 bytes of which 16 are its own choice, and discards what comes until the agent has sent them
 * back. Then it takes itself away. The agent's side is {@code channel.rs}.
 */
final class Greeting extends ByteToMessageDecoder {
    static final String MAGIC = "virtcont";

    private final byte[] greeting = (MAGIC
                    + String.format("%016x", ThreadLocalRandom.current().nextLong()))
            .getBytes(StandardCharsets.US_ASCII);
    private final ByteBuf needle = Unpooled.wrappedBuffer(greeting).asReadOnly();

    @Override
    public void channelActive(ChannelHandlerContext context) {
        // Before gRPC hears that the socket is connected and sends its preface; both go out together.
        var unused = context.write(Unpooled.wrappedBuffer(greeting));
        context.fireChannelActive();
    }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        int found = ByteBufUtil.indexOf(needle, in);
        if (found < 0) {
            in.skipBytes(Math.max(0, in.readableBytes() - greeting.length + 1));
            return;
        }
        in.readerIndex(found + greeting.length);
        context.pipeline().remove(this); // hands on what follows
    }

    @Override
    protected void decodeLast(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        in.skipBytes(in.readableBytes()); // half an answer means nothing to gRPC
    }
}
