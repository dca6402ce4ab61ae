// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.PendingWriteQueue;
import io.netty.handler.codec.ByteToMessageCodec;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The hypervisor's side of {@link HybridHello}, in the words of Firecracker's documentation. */
final class HybridReply extends ByteToMessageCodec<ByteBuf> {
    private PendingWriteQueue waiting;

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
        int length = in.bytesBefore((byte) '\n');
        if (length < 0) {
            return;
        }
        String line = in.readCharSequence(length + 1, StandardCharsets.US_ASCII).toString();
        if (!line.equals("CONNECT 1024\n") || in.isReadable()) {
            throw new AssertionError("the client said " + line + " and more than that: " + in.isReadable());
        }
        var unusedOk = context.write(Unpooled.copiedBuffer("OK 1073741824\n", StandardCharsets.US_ASCII));
        var unused = waiting.removeAndWriteAll(); // right behind it, as a quick agent's settings may be
        context.flush();
        context.pipeline().remove(this);
    }

    @Override
    protected void encode(ChannelHandlerContext context, ByteBuf message, ByteBuf out) {
        throw new AssertionError("write() queues");
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
        var unusedClosing = context.close();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
        waiting.removeAndFailAll(new java.nio.channels.ClosedChannelException());
        super.channelInactive(context);
    }
}
