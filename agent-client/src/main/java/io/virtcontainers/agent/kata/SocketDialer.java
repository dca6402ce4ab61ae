// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Makes the socket of each connection that gRPC opens, and keeps hold of the last one: gRPC itself never gives up on a
 * peer that accepts and stays silent, so its owner must be able to. Thread-safe.
 */
final class SocketDialer implements ChannelFactory<Channel> {
    private final Consumer<Channel> onDial;
    private volatile @Nullable Channel last;

    /** @param onDial told of each new socket before it connects */
    SocketDialer(Consumer<Channel> onDial) {
        this.onDial = onDial;
    }

    @Override
    public Channel newChannel() {
        Channel channel = new NioDomainSocketChannel();
        last = channel;
        onDial.accept(channel);
        return channel;
    }

    /** The last socket, if it is open. */
    Optional<Channel> current() {
        return Optional.ofNullable(last).filter(Channel::isOpen);
    }

    /** Closes the current socket, if any: gRPC then sees the connection as lost. */
    void drop() {
        Channel channel = last;
        if (channel != null && channel.isRegistered()) {
            var unused = channel.close();
        }
    }
}
