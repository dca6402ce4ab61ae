// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.LinuxSocket;
import io.netty.channel.epoll.VSockAddress;
import io.virtcontainers.AgentException;
import io.virtcontainers.spi.GuestChannel;
import java.io.IOException;
import java.net.SocketAddress;
import java.util.Optional;

/** A socket of the kernel's AF_VSOCK. The end of the guest ends its connections; while it is paused they stay. */
record VsockTransport(GuestChannel.Vsock channel, EventLoop loop) implements Transport {

    @Override
    public SocketAddress address() {
        return new VSockAddress(channel.cid(), channel.port());
    }

    @Override
    public Channel newSocket() {
        return new VsockChannel();
    }

    /** Why this process can have no such sockets, if so. */
    static Optional<AgentException> problem() {
        if (!Epoll.isAvailable()) {
            return Optional.of(refused(
                    "netty's native library for epoll, which it needs, does not work here",
                    Epoll.unavailabilityCause()));
        }
        try {
            LinuxSocket.newVSockStream().close();
            return Optional.empty();
        } catch (RuntimeException | IOException e) {
            return Optional.of(refused(
                    "the kernel refuses AF_VSOCK sockets to this process; in a container, its seccomp profile may"
                            + " forbid them",
                    e));
        }
    }

    private static AgentException refused(String why, Throwable cause) {
        return new AgentException(
                "vsock cannot be used: " + why + " (" + cause + "); choose the agent channel VIRTIO_SERIAL", cause);
    }

    @Override
    public String toString() {
        return channel.toString();
    }
}
