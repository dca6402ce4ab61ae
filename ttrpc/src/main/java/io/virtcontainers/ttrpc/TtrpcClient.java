// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.virtcontainers.CancelledException;
import io.virtcontainers.spi.Deadline;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Calls the methods of a ttrpc server over one connection, any number of them at once; has no thread of its own.
 * Thread-safe. When the connection ends, every call under way and every later one fails with {@link
 * TtrpcConnectionLostException}: nothing is sent twice.
 */
public final class TtrpcClient implements AutoCloseable {
    private final Channel channel;
    private final ClientHandler handler;

    private TtrpcClient(Channel channel, ClientHandler handler) {
        this.channel = channel;
        this.handler = handler;
    }

    /**
     * Connects to a unix socket.
     *
     * @param loops of NIO; stay the caller's
     * @throws TtrpcConnectionLostException if nobody listens there
     * @throws TtrpcException {@link StatusCode#DEADLINE_EXCEEDED}
     * @throws CancelledException if the thread is interrupted
     */
    public static TtrpcClient connect(Path socket, EventLoopGroup loops, Deadline deadline) {
        ClientHandler handler = new ClientHandler(1);
        ChannelFuture connecting = new Bootstrap()
                .group(loops)
                .channelFactory(NioDomainSocketChannel::new)
                .handler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline().addLast(new FrameDecoder(), new FrameEncoder(), handler);
                    }
                })
                .connect(UnixDomainSocketAddress.of(socket));
        boolean connected = false;
        try {
            if (!connecting.await(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw new TtrpcException(
                        StatusCode.DEADLINE_EXCEEDED, "connecting to " + socket + " did not end within its deadline");
            }
            if (!connecting.isSuccess()) {
                throw new TtrpcConnectionLostException(
                        "could not connect to " + socket + ": " + connecting.cause() + "; is a server listening there?",
                        connecting.cause());
            }
            connected = true;
            return new TtrpcClient(connecting.channel(), handler);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while connecting to " + socket);
        } finally {
            if (!connected) {
                var unused = connecting.channel().close();
            }
        }
    }

    /**
     * Takes over a connected channel of any kind, whose bytes from now on are ttrpc's.
     *
     * @param channel registered with its event loop; closed with the client
     */
    public static TtrpcClient on(Channel channel) {
        ClientHandler handler = new ClientHandler(1);
        channel.pipeline().addLast(new FrameDecoder(), new FrameEncoder(), handler);
        return new TtrpcClient(channel, handler);
    }

    /**
     * Makes a call. The server learns the deadline, and it is kept here too.
     *
     * @return the encoded answer. Fails with a {@link TtrpcException}; completes on the event loop, so attach nothing that
     *     blocks; if cancelled, a later answer is ignored
     */
    public CompletableFuture<ByteString> start(TtrpcRequest request, Deadline deadline) {
        ClientCall call = new ClientCall(request, deadline);
        try {
            channel.eventLoop().execute(() -> handler.submit(call));
        } catch (RejectedExecutionException e) {
            call.failAsLost(e);
        }
        return call;
    }

    /**
     * Makes a call and waits for the encoded answer; not on the event loop.
     *
     * @throws TtrpcException with the server's status, or what went wrong here
     * @throws CancelledException if the thread is interrupted
     */
    public ByteString call(TtrpcRequest request, Deadline deadline) {
        if (channel.eventLoop().inEventLoop()) {
            throw new IllegalStateException(request.name() + " would wait for its answer on the thread that brings it");
        }
        CompletableFuture<ByteString> call = start(request, deadline);
        try {
            return call.get(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new ClientCall(request, deadline).late();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for the answer to " + request.name());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof TtrpcException known) {
                throw known;
            }
            throw new TtrpcException(StatusCode.INTERNAL, request.name() + " failed: " + e.getCause(), e.getCause());
        } finally {
            call.cancel(false);
        }
    }

    /** Makes a call and waits for the answer, as {@link #call(TtrpcRequest, Deadline)}. */
    public <R extends MessageLite> R call(
            String service, String method, MessageLite message, Parser<R> answer, Deadline deadline) {
        ByteString payload = call(new TtrpcRequest(service, method, message.toByteString()), deadline);
        try {
            return answer.parseFrom(payload);
        } catch (InvalidProtocolBufferException e) {
            throw new TtrpcException(
                    StatusCode.INTERNAL,
                    "the payload of the answer to " + service + "/" + method + " is not the message it returns: "
                            + e.getMessage(),
                    e);
        }
    }

    /** Ends the connection, without waiting. */
    @Override
    public void close() {
        var unused = channel.close();
    }
}
