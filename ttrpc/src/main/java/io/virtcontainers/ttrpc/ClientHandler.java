// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The calls of one connection; everything happens on its event loop. A call first waits here until the server reads what
 * was sent before; then it has a stream until its answer comes. In both states it is forgotten when it is completed in any
 * other way, so that nothing is held longer than somebody waits for it. The protocol cannot tell the server that nobody
 * does; its answer is then ignored, as is everything else on a stream without a call.
 */
final class ClientHandler extends SimpleChannelInboundHandler<Inbound> {
    private static final Logger log = LoggerFactory.getLogger(ClientHandler.class);
    private static final long LAST_STREAM = 0xFFFF_FFFFL;

    private final Map<Integer, ClientCall> sent = new HashMap<>();
    private final Set<ClientCall> waiting = new LinkedHashSet<>();
    private long nextStream;
    private @Nullable ChannelHandlerContext context;
    private @Nullable Throwable endedBy;

    /** @param firstStream odd, and 1 but for tests */
    ClientHandler(long firstStream) {
        this.nextStream = firstStream;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) {
        context = added;
    }

    void submit(ClientCall call) {
        if (call.isDone()) {
            return;
        }
        ChannelHandlerContext current = context;
        if (current == null || !current.channel().isActive()) {
            call.failAsLost(endedBy);
            return;
        }
        if (call.deadline.isExpired()) {
            call.failAsLate();
            return;
        }
        call.timer = current.executor()
                .schedule(call::failAsLate, call.deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        waiting.add(call);
        var unused = call.whenComplete((answer, error) -> {
            if (current.executor().inEventLoop()) {
                forget(call);
            } else {
                current.executor().execute(() -> forget(call));
            }
        });
        sendWaiting(current);
    }

    private void forget(ClientCall call) {
        if (call.timer != null) {
            call.timer.cancel(false);
        }
        waiting.remove(call);
        sent.remove(call.streamId);
    }

    private void sendWaiting(ChannelHandlerContext current) {
        while (!waiting.isEmpty() && current.channel().isWritable()) {
            ClientCall call = waiting.iterator().next();
            waiting.remove(call);
            if (!call.isDone()) {
                send(current, call);
            }
        }
        current.flush();
    }

    private void send(ChannelHandlerContext current, ClientCall call) {
        // A remaining time of nothing would tell the server that there is no deadline.
        long timeout = Math.max(1, call.deadline.remaining().toNanos());
        ByteString data = new RequestMessage(call.request, timeout).encode();
        if (!Frame.fits(data)) {
            call.fail(
                    StatusCode.RESOURCE_EXHAUSTED,
                    "the request has " + data.size() + " bytes, more than " + Frame.MOST_DATA + "; it was not sent");
            return;
        }
        if (nextStream > LAST_STREAM) {
            call.fail(StatusCode.UNAVAILABLE, "all streams of the connection are used; connect again");
            var unused = current.close();
            return;
        }
        call.streamId = (int) nextStream;
        nextStream += 2;
        sent.put(call.streamId, call);
        var unused = current.write(Frame.request(call.streamId, data)).addListener(written -> {
            if (!written.isSuccess()) {
                call.failAsLost(written.cause());
            }
        });
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext changed) {
        sendWaiting(changed);
        changed.fireChannelWritabilityChanged();
    }

    @Override
    protected void channelRead0(ChannelHandlerContext reading, Inbound inbound) {
        if (inbound instanceof TooLongFrame tooLong) {
            ClientCall call = sent.get(tooLong.streamId());
            if (call != null) {
                call.fail(StatusCode.RESOURCE_EXHAUSTED, "of the answer, " + tooLong.problem());
            }
        } else if (inbound instanceof Frame frame) {
            ClientCall call = sent.get(frame.streamId());
            if (call != null) {
                received(call, frame);
            } else {
                log.debug("ignored a frame stream={} type={}", frame.streamId(), frame.type());
            }
        }
    }

    private static void received(ClientCall call, Frame frame) {
        if (frame.type() != Frame.RESPONSE) {
            call.fail(StatusCode.INTERNAL, "the server sent a frame of type " + frame.type() + " as answer");
            return;
        }
        try {
            call.answer(ResponseMessage.parse(frame.data()));
        } catch (InvalidProtocolBufferException e) {
            call.fail(StatusCode.INTERNAL, "the server's answer is not a response: " + e.getMessage());
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ended) {
        List<ClientCall> lost = new ArrayList<>(sent.values());
        lost.addAll(waiting);
        lost.forEach(call -> call.failAsLost(endedBy));
        ended.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext failed, Throwable cause) {
        log.debug("connection failed error={}", cause.toString());
        if (endedBy == null) {
            endedBy = cause;
        }
        var unused = failed.close();
    }

    /** How many calls are waiting or sent, for tests. */
    int calls() {
        return waiting.size() + sent.size();
    }
}
