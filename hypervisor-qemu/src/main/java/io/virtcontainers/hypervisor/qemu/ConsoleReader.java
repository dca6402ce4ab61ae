// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import java.util.concurrent.TimeUnit;

/**
 * Keeps the tail of what a guest writes to its console. A guest may write for ever and QEMU passes on each character by
 * itself, so this reads at most once per millisecond: a flood costs a few percent of a processor here, and slows down
 * only the guest that makes it. What was written before a machine's end is still read at the end.
 */
final class ConsoleReader extends SimpleChannelInboundHandler<ByteBuf> {
    private static final long PAUSE_MILLIS = 1;

    private final TailBuffer tail;

    private final ConsoleLog log;

    private ConsoleReader(TailBuffer tail, ConsoleLog log) {
        this.tail = tail;
        this.log = log;
    }

    /** Takes over a new connection; on the event loop. */
    static void attach(Channel channel, TailBuffer tail, ConsoleLog log) {
        channel.config().setAutoRead(false);
        channel.pipeline().addLast(new ConsoleReader(tail, log));
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        context.read();
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, ByteBuf bytes) {
        log.append(bytes);
        tail.append(bytes);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        var unused = context.executor().schedule(() -> context.read(), PAUSE_MILLIS, TimeUnit.MILLISECONDS);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        var unused = context.close();
    }
}
