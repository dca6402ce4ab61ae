// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.virtcontainers.agent.kata.yamux.Yamux;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;

/**
 * A virtio-serial port: bytes without connections, so each begins with a {@link Greeting}, or is a new stream of a yamux
 * session, with which the agents of Kata Containers 1.x begin.
 */
record VirtioSerialTransport(Path socket, boolean yamux, EventLoop loop) implements Transport {
    @Override
    public SocketAddress address() {
        return UnixDomainSocketAddress.of(socket);
    }

    @Override
    public Channel newSocket() {
        Channel channel = new NioDomainSocketChannel();
        if (yamux) {
            Yamux.addTo(channel.pipeline());
        } else {
            channel.pipeline().addLast(new Greeting());
        }
        return channel;
    }

    @Override
    public String toString() {
        return "virtio-serial port " + socket + (yamux ? " (yamux)" : "");
    }
}
