// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.Channel;
import io.netty.channel.epoll.AbstractEpollStreamChannel;
import io.netty.channel.epoll.EpollChannelConfig;
import io.netty.channel.epoll.LinuxSocket;
import io.netty.channel.epoll.VSockAddress;
import java.io.IOException;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * An AF_VSOCK socket on an epoll event loop: netty knows the socket but has no channel of it. The kernel ends an attempt to
 * connect after two seconds (ETIMEDOUT) while the guest has no driver yet, at once (ECONNRESET) while nobody listens, and
 * at once (ENODEV) if there is no such guest.
 */
final class VsockChannel extends AbstractEpollStreamChannel {
    private static final int EPOLLOUT = 4; // of epoll_ctl(2); netty hides its own

    private final EpollChannelConfig config = new Config(this);
    private volatile @Nullable VSockAddress remote;

    VsockChannel() {
        super(LinuxSocket.newVSockStream(), false);
    }

    @Override
    public EpollChannelConfig config() {
        return config;
    }

    @Override
    protected boolean doConnect(SocketAddress to, @Nullable SocketAddress from) throws IOException {
        VSockAddress address = (VSockAddress) to;
        boolean connected = socket.connectVSock(address);
        if (!connected) {
            setFlag(EPOLLOUT);
        }
        remote = address;
        return connected;
    }

    @Override
    protected @Nullable SocketAddress remoteAddress0() {
        return remote;
    }

    /** Nobody asks for it, and the kernel's word is of no use. */
    @Override
    protected @Nullable SocketAddress localAddress0() {
        return null;
    }

    private static final class Config extends EpollChannelConfig {
        Config(Channel channel) {
            super(channel);
        }
    }
}
