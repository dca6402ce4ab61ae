// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The event loops of all connections: daemon threads that start when needed. Thread-safe. */
final class EventLoops implements AutoCloseable {
    private static final int LOOPS = 2;
    private static final long CLOSE_SECONDS = 5;

    private final EventLoopGroup nio = group(NioIoHandler.newFactory());
    private @Nullable EventLoopGroup epoll; // guarded by this; it loads native code

    private static EventLoopGroup group(IoHandlerFactory handlers) {
        return new MultiThreadIoEventLoopGroup(LOOPS, new DefaultThreadFactory("agent-io", true), handlers);
    }

    /** One for the sockets of the JDK. */
    EventLoop nio() {
        return nio.next();
    }

    /** One for netty's native sockets; only if {@link VsockTransport#problem} is none. */
    synchronized EventLoop epoll() {
        EventLoopGroup group = epoll;
        if (group == null) {
            group = group(EpollIoHandler.newFactory());
            epoll = group;
        }
        return group.next();
    }

    /** Ends them; waits a few seconds at most. */
    @Override
    public void close() {
        List<EventLoopGroup> groups = new ArrayList<>(List.of(nio));
        synchronized (this) {
            if (epoll != null) {
                groups.add(epoll);
            }
        }
        try {
            for (var closing : groups.stream()
                    .map(group -> group.shutdownGracefully(0, CLOSE_SECONDS, TimeUnit.SECONDS))
                    .toList()) {
                var unused = closing.await(CLOSE_SECONDS, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
