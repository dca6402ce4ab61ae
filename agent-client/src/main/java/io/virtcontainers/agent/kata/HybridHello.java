// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.io.IOException;
import java.net.ProtocolException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Begins a connection of hybrid vsock, as Firecracker defines it: sends {@code CONNECT <port>}, and when the line
 * {@code OK <number>} has come, lets the rest of the pipeline know that the socket is connected and takes itself away. Until
 * then nobody writes, as a hypervisor may not expect more than the line. Any other answer ends the connection.
 */
final class HybridHello extends ByteToMessageDecoder {
    static final int LONGEST_LINE = 64; // "OK 4294967295" and much room

    /** As long as Kata Containers waits. */
    private static final Duration DEADLINE = Duration.ofSeconds(10);

    private final int port;
    private final Duration deadline;
    private @Nullable Future<?> timer;
    private boolean connected;
    private boolean failed;

    HybridHello(int port) {
        this(port, DEADLINE);
    }

    HybridHello(int port, Duration deadline) {
        this.port = port;
        this.deadline = deadline;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        timer = context.executor().schedule(() -> late(context), deadline.toNanos(), TimeUnit.NANOSECONDS);
        String line = "CONNECT " + Integer.toUnsignedString(port) + "\n";
        var unused = context.writeAndFlush(Unpooled.wrappedBuffer(line.getBytes(StandardCharsets.US_ASCII)));
    }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        if (failed) {
            in.skipBytes(in.readableBytes());
            return;
        }
        int searched = Math.min(in.readableBytes(), LONGEST_LINE);
        int length = in.bytesBefore(searched, (byte) '\n');
        if (length < 0) {
            if (searched == LONGEST_LINE) {
                fail(
                        context,
                        new ProtocolException("the hypervisor's answer to CONNECT is longer than " + LONGEST_LINE
                                + " bytes: " + GuestData.shown(text(in, LONGEST_LINE))));
            }
            return;
        }
        String line = text(in, length);
        if (!line.startsWith("OK ")) {
            fail(context, new IOException("the hypervisor answered CONNECT with \"" + GuestData.shown(line) + '"'));
            return;
        }
        in.skipBytes(length + 1);
        connected = true;
        context.fireChannelActive();
        context.pipeline().remove(this); // hands on what follows
    }

    private static String text(ByteBuf in, int length) {
        return in.toString(in.readerIndex(), length, StandardCharsets.US_ASCII);
    }

    private void late(ChannelHandlerContext context) {
        fail(context, new IOException("the hypervisor did not answer CONNECT within " + deadline.toMillis() + " ms"));
    }

    private void fail(ChannelHandlerContext context, IOException error) {
        if (!connected && !failed) {
            failed = true;
            context.fireExceptionCaught(error);
            var unused = context.close();
        }
    }

    /** A hypervisor that closes before it has read all of CONNECT resets the connection. */
    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
        if (connected || !(error instanceof IOException)) {
            context.fireExceptionCaught(error);
        } else {
            closed(context);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) throws Exception {
        closed(context);
        super.channelInactive(context);
    }

    private void closed(ChannelHandlerContext context) {
        fail(
                context,
                new IOException("the hypervisor closed the connection instead of answering CONNECT, as it does while"
                        + " nothing listens on port " + Integer.toUnsignedString(port) + " in the guest"));
    }

    @Override
    protected void decodeLast(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        in.skipBytes(in.readableBytes()); // half an answer means nothing
    }

    @Override
    protected void handlerRemoved0(ChannelHandlerContext context) {
        if (timer != null) {
            timer.cancel(false);
        }
    }
}
