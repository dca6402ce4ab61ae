// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Makes the socket of each connection that gRPC opens, and keeps hold of the last one: gRPC itself never gives up on a
 * peer that accepts and stays silent, so its owner must be able to. Thread-safe.
 */
final class SocketDialer implements ChannelFactory<Channel> {
    private final Transport transport;
    private final Consumer<Channel> onDial;
    private volatile @Nullable Channel last;
    private volatile boolean closed;

    /** @param onDial told of each new socket before it connects */
    SocketDialer(Transport transport, Consumer<Channel> onDial) {
        this.transport = transport;
        this.onDial = onDial;
    }

    @Override
    public Channel newChannel() {
        Channel channel = transport.newSocket();
        channel.pipeline().addFirst(new Guard());
        last = channel;
        onDial.accept(channel);
        return channel;
    }

    /** The last socket, if it is open. */
    Optional<Channel> current() {
        return Optional.ofNullable(last).filter(Channel::isOpen);
    }

    /**
     * Cuts the current socket, if any: gRPC then sees the connection as lost. Not by way of gRPC's handler, which would
     * first wait for the calls under way, for 30 s.
     */
    void drop() {
        Channel channel = last;
        if (channel != null && channel.isRegistered()) {
            ChannelHandlerContext outermost = channel.pipeline().firstContext();
            var unused = outermost == null ? channel.close() : outermost.close();
        }
    }

    /**
     * Closes the current socket and every one that is still made. gRPC itself leaves a socket open whose connecting it
     * began before its shutdown, and the hypervisor would take it for a host that uses the port.
     */
    void close() {
        closed = true;
        Channel channel = last;
        if (channel != null && channel.isRegistered()) {
            var unused = channel.close();
        }
    }

    private final class Guard extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRegistered(ChannelHandlerContext context) {
            closeLate(context);
            context.fireChannelRegistered();
        }

        @Override
        public void channelActive(ChannelHandlerContext context) {
            closeLate(context);
            context.fireChannelActive();
        }

        private void closeLate(ChannelHandlerContext context) {
            if (closed) {
                var unused = context.channel().close();
            }
        }
    }
}
