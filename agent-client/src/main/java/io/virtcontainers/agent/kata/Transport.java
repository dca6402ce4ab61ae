// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.net.SocketAddress;

/** One way to an agent: where it is, and how each of its connections is made. Thread-safe. */
interface Transport {
    SocketAddress address();

    /** The event loop that fits its sockets. */
    EventLoop loop();

    /** A socket that is not connected yet, with those handlers that have to come before gRPC's. */
    Channel newSocket();

    /** Kind and place, for messages: {@code virtio-serial port /run/demo/agent.sock}. */
    @Override
    String toString();
}
