// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;

/** The guest's vsock behind a unix socket of the hypervisor. */
record HybridVsockTransport(Path socket, int port, EventLoop loop) implements Transport {
    @Override
    public SocketAddress address() {
        return UnixDomainSocketAddress.of(socket);
    }

    @Override
    public Channel newSocket() {
        Channel channel = new NioDomainSocketChannel();
        channel.pipeline().addLast(new HybridHello(port));
        return channel;
    }

    @Override
    public String toString() {
        return "hybrid vsock " + socket + " port " + Integer.toUnsignedString(port);
    }
}
