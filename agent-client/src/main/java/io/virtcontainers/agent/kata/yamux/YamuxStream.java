// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata.yamux;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.CoalescingBufferQueue;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.net.ProtocolException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One stream of a yamux session, behind a {@link YamuxDecoder}: bytes in and out on the side of gRPC, frames on the other.
 *
 * <p>A session has no beginning, and a virtio-serial port has no connections: the agent may still be in the session of an
 * earlier process of the host. So the stream's number is a random one, which joins that session as well as it begins a new
 * one, and frames for another stream of a host are the rest of what was said before: their bytes are dropped, and the agent
 * is told once for each that nobody listens. For the same reason the session is never ended by a go-away of ours.
 *
 * <p>Both sides start with a window of 256 KiB. What gRPC writes beyond the agent's window waits here and makes the channel
 * unwritable, at which gRPC stops. What comes in is handed on at once, and the window opened again when half is used, as
 * gRPC has its own flow control above. An agent that breaks the rules gets a {@link ProtocolException}, which ends the
 * connection; one that resets or ends the stream an {@link IOException}.
 *
 * <p>A ping every {@link #PING_SECONDS} shows in the log whether the agent's session lives. An answer that is missing does
 * not end the connection, since a paused machine must not lose it; no second ping is sent before it.
 */
final class YamuxStream extends ChannelDuplexHandler {
    static final int WINDOW = 256 << 10;
    static final int PING_SECONDS = 10;
    static final int MOST_REPLIES_WAITING = 64;

    private static final int LARGEST_FRAME = 64 << 10; // so that answers to pings do not wait long
    private static final long LARGEST_WINDOW = 0xffff_ffffL;
    private static final String[] REASONS = {"normal termination", "protocol error", "internal error"};

    private final int stream;
    private @Nullable CoalescingBufferQueue waiting;
    private long sendWindow = WINDOW;
    private int receiveWindow = WINDOW;
    private int received; // since the last update of the window
    private long payload; // of the current frame, still to come
    private boolean payloadIsOurs;
    private boolean endsAfterPayload;
    private boolean answered;
    private boolean ended;
    private int repliesWaiting;
    private @Nullable Future<?> pinging;
    private long pings;
    private boolean pingUnanswered;

    YamuxStream() {
        this(number());
    }

    static int number() {
        return (ThreadLocalRandom.current().nextInt() & Integer.MAX_VALUE) | 1; // odd: a client's
    }

    YamuxStream(int stream) {
        this.stream = stream;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        waiting = new CoalescingBufferQueue(context.channel(), 16, true);
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
        send(context, new YamuxFrame(YamuxFrame.WINDOW_UPDATE, YamuxFrame.SYN, stream, 0));
        ping(context);
        context.flush();
        pinging = context.executor()
                .scheduleAtFixedRate(
                        () -> {
                            ping(context);
                            context.flush();
                        },
                        PING_SECONDS,
                        PING_SECONDS,
                        TimeUnit.SECONDS);
        context.fireChannelActive();
    }

    private void ping(ChannelHandlerContext context) {
        if (!pingUnanswered && !ended) {
            pingUnanswered = true;
            send(context, new YamuxFrame(YamuxFrame.PING, YamuxFrame.SYN, 0, ++pings));
        }
    }

    private static void send(ChannelHandlerContext context, YamuxFrame frame) {
        ByteBuf out = context.alloc().buffer(YamuxFrame.HEADER);
        frame.writeTo(out);
        var unused = context.write(out);
    }

    /** An answer that the agent provokes: limited, should it not read them. */
    private void reply(ChannelHandlerContext context, YamuxFrame frame) {
        if (++repliesWaiting > MOST_REPLIES_WAITING) {
            fail(context, new ProtocolException("the agent does not read the answers to its yamux frames"));
            return;
        }
        ByteBuf out = context.alloc().buffer(YamuxFrame.HEADER);
        frame.writeTo(out);
        var unused = context.writeAndFlush(out).addListener(written -> repliesWaiting--);
    }

    // From the agent

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (ended) {
            ReferenceCountUtil.release(message);
        } else if (message instanceof YamuxFrame frame) {
            frame(context, frame);
        } else {
            payload(context, (ByteBuf) message);
        }
    }

    private void frame(ChannelHandlerContext context, YamuxFrame frame) {
        switch (frame.type()) {
            case YamuxFrame.PING -> ping(context, frame);
            case YamuxFrame.GO_AWAY ->
                fail(
                        context,
                        new IOException("the agent ended the yamux session: "
                                + (frame.length() < REASONS.length ? REASONS[(int) frame.length()] : "unknown reason")
                                + " (" + frame.length() + ")"));
            default -> {
                if (frame.stream() == stream) {
                    ours(context, frame);
                } else {
                    others(context, frame);
                }
            }
        }
    }

    private void ping(ChannelHandlerContext context, YamuxFrame frame) {
        if (frame.has(YamuxFrame.SYN)) {
            reply(context, new YamuxFrame(YamuxFrame.PING, YamuxFrame.ACK, 0, frame.length()));
        } else if (!frame.has(YamuxFrame.ACK)) {
            fail(context, new ProtocolException("the agent sent a yamux ping that is neither one nor an answer"));
        } else if (frame.length() == pings) {
            pingUnanswered = false; // else it is the answer to an earlier process of the host
        }
    }

    private void others(ChannelHandlerContext context, YamuxFrame frame) {
        if ((frame.stream() & 1) == 0) {
            fail(
                    context,
                    new ProtocolException("the agent opened a yamux stream, or speaks on one of its own: " + frame));
            return;
        }
        payload = frame.type() == YamuxFrame.DATA ? frame.length() : 0;
        payloadIsOurs = false;
        if (!frame.has(YamuxFrame.RST) && !frame.has(YamuxFrame.FIN)) {
            reply(context, new YamuxFrame(YamuxFrame.WINDOW_UPDATE, YamuxFrame.RST, frame.stream(), 0));
        }
    }

    private void ours(ChannelHandlerContext context, YamuxFrame frame) {
        if (frame.has(YamuxFrame.SYN) || (frame.has(YamuxFrame.ACK) && answered)) {
            fail(context, new ProtocolException("the agent opened a yamux stream that is open: " + frame));
        } else if (frame.has(YamuxFrame.RST)) {
            fail(
                    context,
                    new IOException(
                            answered ? "the agent reset the yamux stream" : "the agent refused a yamux stream"));
        } else if (frame.type() == YamuxFrame.DATA) {
            answered = true;
            data(context, frame);
        } else {
            answered = true;
            sendWindow += frame.length();
            if (sendWindow > LARGEST_WINDOW) {
                fail(context, new ProtocolException("the agent's yamux window is beyond all bounds: " + frame));
            } else if (frame.has(YamuxFrame.FIN)) {
                end(context);
            } else {
                drain(context);
                context.flush();
            }
        }
    }

    private void data(ChannelHandlerContext context, YamuxFrame frame) {
        if (frame.length() > receiveWindow) {
            fail(
                    context,
                    new ProtocolException(
                            "the agent sent more than the yamux window of " + receiveWindow + " bytes: " + frame));
            return;
        }
        receiveWindow -= (int) frame.length();
        payload = frame.length();
        payloadIsOurs = true;
        endsAfterPayload = frame.has(YamuxFrame.FIN);
        if (payload == 0 && endsAfterPayload) {
            end(context);
        }
    }

    private void payload(ChannelHandlerContext context, ByteBuf piece) {
        int length = piece.readableBytes();
        payload -= length;
        if (!payloadIsOurs) {
            piece.release();
            return;
        }
        received += length;
        context.fireChannelRead(piece);
        if (payload == 0 && endsAfterPayload) {
            end(context);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
        if (received >= WINDOW / 2 && !ended) {
            send(context, new YamuxFrame(YamuxFrame.WINDOW_UPDATE, 0, stream, received));
            context.flush();
            receiveWindow += received;
            received = 0;
        }
        context.fireChannelReadComplete();
    }

    /** The agent says no more. gRPC needs both directions. */
    private void end(ChannelHandlerContext context) {
        ended = true;
        var unused = context.channel().close();
    }

    private void fail(ChannelHandlerContext context, IOException error) {
        ended = true;
        context.fireExceptionCaught(error);
        var unused = context.close();
    }

    // From gRPC

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) {
        queue().add((ByteBuf) message, promise);
    }

    @Override
    public void flush(ChannelHandlerContext context) {
        drain(context);
        context.flush();
    }

    private void drain(ChannelHandlerContext context) {
        CoalescingBufferQueue queue = queue();
        while (!ended && sendWindow > 0 && !queue.isEmpty()) {
            ChannelPromise written = context.newPromise();
            int most = (int) Math.min(sendWindow, LARGEST_FRAME);
            ByteBuf data = queue.remove(most, written);
            int length = data.readableBytes();
            sendWindow -= length;
            if (length > 0) {
                send(context, new YamuxFrame(YamuxFrame.DATA, 0, stream, length));
            }
            var unused = context.write(data, written);
        }
    }

    /** Tells the agent that the stream is over, should the port not tell it. */
    @Override
    public void close(ChannelHandlerContext context, ChannelPromise promise) {
        if (!ended && context.channel().isActive()) {
            drain(context);
            send(context, new YamuxFrame(YamuxFrame.WINDOW_UPDATE, YamuxFrame.FIN, stream, 0));
            context.flush();
            ended = true;
        }
        var unused = context.close(promise);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        release();
        context.fireChannelInactive();
    }

    @Override
    public void handlerRemoved(ChannelHandlerContext context) {
        release();
    }

    private void release() {
        ended = true;
        if (pinging != null) {
            pinging.cancel(false);
        }
        queue().releaseAndFailAll(new ClosedChannelException());
    }

    private CoalescingBufferQueue queue() {
        CoalescingBufferQueue queue = waiting;
        if (queue == null) {
            throw new IllegalStateException("not in a pipeline");
        }
        return queue;
    }
}
