// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.virtcontainers.CancelledException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers the requests of ttrpc clients; has no thread of its own. Thread-safe. A request gets an answer in any case: that
 * of its method, or a status that says why there is none. When a client's connection ends, or only its sending half, its
 * requests are cancelled, as nobody can then be answered.
 */
public final class TtrpcServer implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(TtrpcServer.class);
    private static final int MOST_REQUESTS = 256;
    private static final Duration CLOSE = Duration.ofSeconds(5);

    private final EventLoopGroup loops;
    private final Executor executor;
    private final Map<String, Map<String, TtrpcMethod>> services;
    private final int mostRequests;
    private final Map<Channel, ServerConnection> connections = new ConcurrentHashMap<>();
    private final Set<Channel> listeners = ConcurrentHashMap.newKeySet();
    private volatile boolean closing;

    private TtrpcServer(Builder builder) {
        this.loops = builder.loops;
        this.executor = builder.executor;
        this.mostRequests = builder.mostRequests;
        Map<String, Map<String, TtrpcMethod>> copy = new HashMap<>();
        builder.services.forEach((name, methods) -> copy.put(name, Map.copyOf(methods)));
        this.services = Map.copyOf(copy);
    }

    /**
     * @param loops of NIO, if {@link #listen} is used; stay the caller's
     * @param executor runs the methods, which may block it; stays the caller's
     */
    public static Builder builder(EventLoopGroup loops, Executor executor) {
        return new Builder(loops, executor);
    }

    /**
     * Listens on a new unix socket, which is removed when the server closes. Who may connect is up to the permissions of
     * its directory.
     *
     * @throws VirtException if the socket cannot be made
     */
    public void listen(Path socket, Deadline deadline) {
        await(
                bootstrap().channelFactory(NioServerDomainSocketChannel::new).bind(UnixDomainSocketAddress.of(socket)),
                deadline,
                "listening on " + socket);
    }

    /**
     * Accepts connections of a socket that listens already, such as one that another process handed over.
     *
     * @param listening not registered yet, of the kind that the event loops serve; closed with the server
     * @throws VirtException if it cannot be served
     */
    public void listen(ServerChannel listening, Deadline deadline) {
        await(
                bootstrap().channelFactory(() -> listening).register(),
                deadline,
                "accepting connections of " + listening);
    }

    /**
     * Serves a connected channel of any kind, whose bytes from now on are ttrpc's.
     *
     * @param connected registered with its event loop; closed with the server
     */
    public void serve(Channel connected) {
        ServerConnection connection = new ServerConnection(services, executor, mostRequests);
        connections.put(connected, connection);
        var unused = connected.closeFuture().addListener(closed -> connections.remove(connected));
        connected.pipeline().addLast(new FrameDecoder(), new FrameEncoder(), connection);
        if (closing) { // it may have missed the new connection
            var unusedClosing = connected.close();
        }
    }

    private ServerBootstrap bootstrap() {
        return new ServerBootstrap().group(loops).childHandler(new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel accepted) {
                serve(accepted);
            }
        });
    }

    private void await(ChannelFuture listening, Deadline deadline, String what) {
        boolean open = false;
        try {
            if (!listening.await(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw deadline.exceeded(what);
            }
            if (!listening.isSuccess()) {
                throw new VirtException(
                        what + " failed: " + listening.cause() + "; the socket must not exist yet, its directory must",
                        listening.cause());
            }
            listeners.add(listening.channel());
            open = !closing;
            if (!open) {
                throw new VirtException(what + " failed: the server is closed");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted during " + what);
        } finally {
            if (!open) {
                var unused = listening.channel().close();
            }
        }
    }

    /**
     * Accepts nothing new, waits until the requests being served are answered, and closes; at the deadline it closes
     * without them. Not to be called by a method, for which it would wait.
     *
     * @throws CancelledException if the thread is interrupted; all is closed then too
     */
    public void close(Deadline deadline) {
        closing = true;
        closeAll(listeners);
        connections.forEach(TtrpcServer::drain);
        try {
            if (!awaitClosed(deadline)) {
                closeAll(connections.keySet());
                var unused = awaitClosed(Deadline.after(CLOSE));
            }
        } catch (InterruptedException e) {
            closeAll(connections.keySet());
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while closing the ttrpc server");
        }
    }

    private static void drain(Channel channel, ServerConnection connection) {
        try {
            channel.eventLoop().execute(connection::drain);
        } catch (RejectedExecutionException e) {
            log.debug("event loop ended before the server channel={}", channel); // and closed the channel
        }
    }

    private static void closeAll(Set<Channel> channels) {
        for (Channel channel : channels) {
            var unused = channel.close();
        }
    }

    private boolean awaitClosed(Deadline deadline) throws InterruptedException {
        for (Set<Channel> channels : List.of(listeners, connections.keySet())) {
            for (Channel channel : channels) {
                if (!channel.closeFuture().await(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Closes at once: requests being served are cancelled, and their clients see the connection end. */
    @Override
    public void close() {
        close(Deadline.after(Duration.ZERO));
    }

    /** What the server offers. Not thread-safe. */
    public static final class Builder {
        private final EventLoopGroup loops;
        private final Executor executor;
        private final Map<String, Map<String, TtrpcMethod>> services = new HashMap<>();
        private int mostRequests = MOST_REQUESTS;

        private Builder(EventLoopGroup loops, Executor executor) {
            this.loops = loops;
            this.executor = executor;
        }

        /** @param service the full name, with its package */
        public Builder method(String service, String name, TtrpcMethod method) {
            if (services.computeIfAbsent(service, key -> new HashMap<>()).put(name, method) != null) {
                throw new IllegalArgumentException(service + "/" + name + " is there already");
            }
            return this;
        }

        /** How many requests of one connection are served at once, 256 if not set; more are refused. */
        public Builder mostRequests(int most) {
            if (most < 1) {
                throw new IllegalArgumentException("at least 1 request must be served at once, not " + most);
            }
            mostRequests = most;
            return this;
        }

        public TtrpcServer build() {
            return new TtrpcServer(this);
        }
    }
}
