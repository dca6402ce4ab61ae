// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.PendingWriteQueue;
import io.netty.handler.codec.ByteToMessageCodec;
import java.util.List;

/** The agent's side of {@link Greeting}: sends it back, behind what an earlier connection has left, before all else. */
final class GreetingReply extends ByteToMessageCodec<ByteBuf> {
    private static final int LENGTH = 24;

    private final byte[] rest;
    private PendingWriteQueue waiting;

    GreetingReply(byte[] rest) {
        this.rest = rest;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        waiting = new PendingWriteQueue(context);
    }

    /** A server of gRPC sends its settings at once. */
    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        waiting.add(message, promise);
    }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        if (in.readableBytes() >= LENGTH) {
            var unusedReply = context.write(Unpooled.wrappedBuffer(Unpooled.wrappedBuffer(rest), in.readBytes(LENGTH)));
            var unusedRest = waiting.removeAndWriteAll();
            context.flush();
            context.pipeline().remove(this);
        }
    }

    @Override
    protected void encode(ChannelHandlerContext context, ByteBuf message, ByteBuf out) {
        throw new AssertionError("write() queues");
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
        waiting.removeAndFailAll(new java.nio.channels.ClosedChannelException());
        super.channelInactive(context);
    }
}
