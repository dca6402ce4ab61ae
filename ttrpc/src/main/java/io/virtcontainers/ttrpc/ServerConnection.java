// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The requests of one connection; everything but the methods happens on its event loop. Each stream gets one response: what
 * is wrong with a request is answered on its stream and the connection goes on, as Go's server does it; only what cannot be
 * answered ends it. Frames of a type that the specification does not know, or that no client sends, are ignored.
 *
 * <p>Bounds: requests being served by number and bytes, more are refused; while the client does not read its answers,
 * nothing is read from it, so that the answers that wait are no more than that, plus those to one read's worth of refused
 * frames.
 */
final class ServerConnection extends SimpleChannelInboundHandler<Inbound> {
    private static final Logger log = LoggerFactory.getLogger(ServerConnection.class);

    private final Map<String, Map<String, TtrpcMethod>> services;
    private final Executor executor;

    /** Those that have no response yet. */
    private final Map<Integer, ServerCall> open = new HashMap<>();

    private final ServerLoad load;

    private long lastStream;
    private boolean draining;
    private @Nullable ChannelHandlerContext context;

    ServerConnection(Map<String, Map<String, TtrpcMethod>> services, Executor executor, int mostRequests) {
        this.services = services;
        this.executor = executor;
        this.load = new ServerLoad(mostRequests);
    }

    @Override
    public void handlerAdded(ChannelHandlerContext added) {
        context = added;
    }

    /** Refuses all new requests, and closes the connection when the last answer is written. */
    void drain() {
        draining = true;
        closeIfDrained();
    }

    private void closeIfDrained() {
        if (draining && load.requests() == 0 && context != null) {
            var unused = context.close();
        }
    }

    @Override
    protected void channelRead0(ChannelHandlerContext reading, Inbound inbound) {
        if (inbound instanceof TooLongFrame tooLong) {
            refuse(tooLong.streamId(), new TtrpcException(StatusCode.RESOURCE_EXHAUSTED, tooLong.problem()));
        } else if (inbound instanceof Frame frame) {
            switch (frame.type()) {
                case Frame.REQUEST -> request(reading, frame);
                case Frame.DATA -> {
                    String problem = "stream data: the stream is not open for any";
                    refuse(frame.streamId(), new TtrpcException(StatusCode.INVALID_ARGUMENT, problem));
                }
                default -> log.debug("ignored a frame stream={} type={}", frame.streamId(), frame.type());
            }
        }
    }

    private void request(ChannelHandlerContext reading, Frame frame) {
        ServerCall call;
        try {
            checkStream(frame);
            call = callOf(frame);
        } catch (TtrpcException e) {
            refuse(frame.streamId(), e);
            return;
        }
        load.add(call.size);
        open.put(call.streamId, call);
        if (call.nanos > 0) {
            call.timer = reading.executor().schedule(() -> expired(call), call.nanos, TimeUnit.NANOSECONDS);
        }
        try {
            executor.execute(call);
        } catch (RejectedExecutionException e) {
            methodEnded(call, null, new TtrpcException(StatusCode.UNAVAILABLE, "the server has no thread for it", e));
        }
    }

    private void checkStream(Frame frame) {
        long stream = Integer.toUnsignedLong(frame.streamId());
        if (stream % 2 == 0) {
            throw new TtrpcException(StatusCode.INVALID_ARGUMENT, "the stream of a client must have an odd number");
        }
        if (stream <= lastStream) {
            throw new TtrpcException(
                    StatusCode.INVALID_ARGUMENT,
                    "the number of a new stream must be larger than that of the last, " + lastStream);
        }
        lastStream = stream;
        if (frame.flags() != 0) {
            throw new TtrpcException(StatusCode.UNIMPLEMENTED, "streaming calls are not supported");
        }
    }

    private ServerCall callOf(Frame frame) {
        RequestMessage message;
        try {
            message = RequestMessage.parse(frame.data());
        } catch (InvalidProtocolBufferException e) {
            throw new TtrpcException(StatusCode.INVALID_ARGUMENT, "this is not a request: " + e.getMessage(), e);
        }
        TtrpcMethod method = methodOf(message.request());
        if (draining) {
            throw new TtrpcException(StatusCode.UNAVAILABLE, "the server is closing");
        }
        if (message.timeoutNanos() < 0) {
            throw new TtrpcException(
                    StatusCode.DEADLINE_EXCEEDED, message.request().name() + " came after the client's deadline");
        }
        load.check(frame.data().size());
        return new ServerCall(frame.streamId(), message, frame.data().size(), method, this::methodEnded);
    }

    private TtrpcMethod methodOf(TtrpcRequest request) {
        Map<String, TtrpcMethod> service = services.get(request.service());
        if (service == null) {
            throw new TtrpcException(
                    StatusCode.UNIMPLEMENTED, "there is no service " + PeerText.shown(request.service()));
        }
        TtrpcMethod method = service.get(request.method());
        if (method == null) {
            throw new TtrpcException(StatusCode.UNIMPLEMENTED, "there is no method " + PeerText.shown(request.name()));
        }
        return method;
    }

    private void expired(ServerCall call) {
        abandon(call);
        String problem = call.request.name() + " did not end within the client's deadline";
        answer(call, ResponseMessage.refusal(StatusCode.DEADLINE_EXCEEDED, problem));
    }

    /** On any thread. */
    private void methodEnded(ServerCall call, @Nullable ByteString payload, @Nullable Throwable error) {
        ChannelHandlerContext current = Objects.requireNonNull(context);
        try {
            current.executor().execute(() -> {
                done(call);
                answer(call, response(call, payload, error));
            });
        } catch (RejectedExecutionException e) {
            log.debug("answer comes after the end of the event loop request={}", call.request.name());
        }
    }

    private static ResponseMessage response(ServerCall call, @Nullable ByteString payload, @Nullable Throwable error) {
        if (error != null) {
            Throwable cause = Statuses.unwrap(error);
            ResponseMessage refusal = Statuses.of(cause);
            if (refusal.code() == StatusCode.UNKNOWN) {
                log.warn("method failed unexpectedly request={}", call.request.name(), cause);
            }
            return refusal;
        }
        return payload == null
                ? ResponseMessage.refusal(StatusCode.INTERNAL, call.request.name() + " gave no answer")
                : ResponseMessage.ok(payload);
    }

    /** Nothing if it has been answered before. */
    private void answer(ServerCall call, ResponseMessage response) {
        if (close(call)) {
            ByteString data = response.encode();
            if (!Frame.fits(data)) {
                data = ResponseMessage.refusal(
                                StatusCode.RESOURCE_EXHAUSTED,
                                "the answer has " + data.size() + " bytes, more than " + Frame.MOST_DATA)
                        .encode();
            }
            var unused = Objects.requireNonNull(context)
                    .writeAndFlush(Frame.response(call.streamId, data))
                    .addListener(written -> done(call));
        }
    }

    /** Refuses what came on a stream; if a request is being served there, this is its answer. */
    private void refuse(int streamId, TtrpcException problem) {
        ResponseMessage refusal = Statuses.of(problem);
        ServerCall call = open.get(streamId);
        if (call != null) {
            abandon(call);
            answer(call, refusal);
        } else {
            var unused = Objects.requireNonNull(context).writeAndFlush(Frame.response(streamId, refusal.encode()));
        }
    }

    /** Whether the stream was open. */
    private boolean close(ServerCall call) {
        if (call.timer != null) {
            call.timer.cancel(false);
        }
        return open.remove(call.streamId, call);
    }

    private void abandon(ServerCall call) {
        call.markUnwanted();
        try {
            executor.execute(call::cancelIfUnwanted);
        } catch (RejectedExecutionException e) {
            log.debug("cancelled without a thread request={}", call.request.name());
        }
    }

    private void done(ServerCall call) {
        call.stillToDo--;
        if (call.stillToDo == 0) {
            load.remove(call.size);
            closeIfDrained();
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext changed) {
        changed.channel().config().setAutoRead(changed.channel().isWritable());
        changed.fireChannelWritabilityChanged();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ended) {
        for (ServerCall call : new ArrayList<>(open.values())) {
            if (close(call)) {
                abandon(call);
                done(call);
            }
        }
        ended.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext failed, Throwable cause) {
        log.debug("connection failed error={}", cause.toString());
        var unused = failed.close();
    }

    /** How many requests count as being served, for tests. */
    int requests() {
        return load.requests();
    }
}
