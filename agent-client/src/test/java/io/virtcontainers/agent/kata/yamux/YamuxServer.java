// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata.yamux;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The agent's side, written from hashicorp/yamux {@code spec.md} without a line of the client: what is behind it in the
 * pipeline sees the bytes of the one stream that the client opens. Strict: it fails where a client breaks a rule.
 */
public final class YamuxServer extends ChannelDuplexHandler {
    private static final int WINDOW = 262_144;

    /** Of all servers: pings of clients that were answered. */
    public static final AtomicInteger PINGS = new AtomicInteger();

    /** Of all servers: their pings that clients answered. */
    public static final AtomicInteger PONGS = new AtomicInteger();

    private final byte[] rest;
    private ByteBuf in = Unpooled.buffer();
    private ByteBuf out = Unpooled.buffer();
    private int stream;
    private long canSend = WINDOW;
    private int canReceive = WINDOW;

    /** @param rest what an earlier connection has left in the port */
    public YamuxServer(byte[] rest) {
        this.rest = rest.clone();
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        if (rest.length > 0) {
            send(context, Unpooled.wrappedBuffer(rest));
            context.flush();
        }
        context.fireChannelActive();
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        ByteBuf bytes = (ByteBuf) message;
        in.writeBytes(bytes);
        bytes.release();
        while (in.readableBytes() >= 12 && frame(context)) {}
        in.discardReadBytes();
    }

    private boolean frame(ChannelHandlerContext context) {
        int at = in.readerIndex();
        require(in.getByte(at) == 0, "version 0");
        int type = in.getByte(at + 1);
        int flags = in.getShort(at + 2);
        int id = in.getInt(at + 4);
        int length = in.getInt(at + 8);
        if (type == 0 && in.readableBytes() < 12 + length) {
            return false;
        }
        in.skipBytes(12);
        switch (type) {
            case 0 -> {
                require(id == stream && stream != 0, "data of the stream that was opened");
                require(length <= canReceive, "no more than the window");
                canReceive -= length;
                context.fireChannelRead(in.readBytes(length));
                context.fireChannelReadComplete();
                // Late and small on purpose: the client runs into the end of its window.
                if (canReceive < 10_000) {
                    send(context, header(1, 0, stream, WINDOW - canReceive));
                    context.flush();
                    canReceive = WINDOW;
                }
            }
            case 1 -> update(context, flags, id, length);
            case 2 -> {
                require(id == 0, "a ping is of the session");
                if (flags == 1) {
                    PINGS.incrementAndGet();
                    send(context, header(2, 2, 0, length));
                    context.flush();
                } else {
                    require(flags == 2 && length == 4711, "the answer to our ping");
                    PONGS.incrementAndGet();
                }
            }
            default -> throw new AssertionError("a client sends no frame of type " + type);
        }
        return true;
    }

    private void update(ChannelHandlerContext context, int flags, int id, int length) {
        if ((flags & 8) != 0 && id != stream) {
            return; // refuses what was for an earlier client
        }
        if ((flags & 1) != 0) {
            require(stream == 0 && id % 2 != 0, "one stream, odd");
            stream = id;
            send(context, header(1, 2, stream, 0));
            send(context, header(2, 1, 0, 4711));
        }
        require(id == stream, "the stream that was opened");
        canSend += length;
        drain(context);
        context.flush();
        if ((flags & 4) != 0) {
            var unusedClosing = context.close();
        }
    }

    private static void require(boolean condition, String rule) {
        if (!condition) {
            throw new AssertionError("the client broke a rule: " + rule);
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
        var unusedClosing = context.close();
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        ByteBuf bytes = (ByteBuf) message;
        out.writeBytes(bytes);
        bytes.release();
        promise.setSuccess();
    }

    @Override
    public void flush(ChannelHandlerContext context) {
        drain(context);
        context.flush();
    }

    private void drain(ChannelHandlerContext context) {
        while (stream != 0 && canSend > 0 && out.isReadable()) {
            int length = (int) Math.min(Math.min(canSend, 50_000), out.readableBytes());
            canSend -= length;
            send(context, header(0, 0, stream, length));
            send(context, out.readBytes(length));
        }
        out.discardReadBytes();
    }

    private static void send(ChannelHandlerContext context, ByteBuf bytes) {
        var unused = context.write(bytes);
    }

    private static ByteBuf header(int type, int flags, int id, int length) {
        return Unpooled.buffer(12)
                .writeByte(0)
                .writeByte(type)
                .writeShort(flags)
                .writeInt(id)
                .writeInt(length);
    }
}
