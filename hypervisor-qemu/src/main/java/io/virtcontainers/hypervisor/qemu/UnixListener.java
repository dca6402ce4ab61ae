// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * A unix socket to which QEMU connects, once; after that nobody is listening. That the sandbox directory is private keeps
 * other users away. {@link #close} ends the listening and the connection; {@link #closed} tells when both have ended.
 */
final class UnixListener implements AutoCloseable {
    private static final int READ_BYTES = 16 << 10;

    private final Channel server;
    private final CompletableFuture<Channel> connection;
    private final CompletableFuture<Void> closed = new CompletableFuture<>();

    private UnixListener(Channel server, CompletableFuture<Channel> connection) {
        this.server = server;
        this.connection = connection;
        var unused = connection.whenComplete((channel, noConnection) -> {
            if (channel == null) {
                closed.complete(null);
            } else {
                channel.closeFuture().addListener(ended -> closed.complete(null));
            }
        });
    }

    /**
     * Listens at a path, replacing what an earlier run left there.
     *
     * @param initializer sets up the connection's pipeline, on the event loop
     */
    static UnixListener bind(EventLoop loop, Path path, Consumer<Channel> initializer, Deadline deadline) {
        CompletableFuture<Channel> connection = new CompletableFuture<>();
        CompletableFuture<Channel> bound = new CompletableFuture<>();
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new HypervisorException("cannot replace the socket " + path + ": " + e, e);
        }
        ChannelFuture binding = new ServerBootstrap()
                .group(loop)
                .channel(NioServerDomainSocketChannel.class)
                // Little traffic: buffers of the exact size, no pool that would be kept for each of many machines.
                .childOption(ChannelOption.ALLOCATOR, UnpooledByteBufAllocator.DEFAULT)
                .childOption(
                        ChannelOption.RECVBUF_ALLOCATOR,
                        new FixedRecvByteBufAllocator(READ_BYTES).maxMessagesPerRead(1))
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        if (connection.complete(channel)) {
                            initializer.accept(channel);
                            var unused = channel.parent().close();
                        } else {
                            var unused = channel.close();
                        }
                    }
                })
                .bind(UnixDomainSocketAddress.of(path));
        binding.addListener(done -> {
            if (done.isSuccess()) {
                bound.complete(binding.channel());
            } else {
                bound.completeExceptionally(new HypervisorException(
                        "cannot listen on the socket " + path + ": " + done.cause(), done.cause()));
            }
        });
        try {
            return new UnixListener(deadline.await(bound, "listening on the socket " + path), connection);
        } catch (RuntimeException e) {
            var unused = binding.channel().close();
            throw e;
        }
    }

    /** Completes when the connection has ended, or will never be made. */
    CompletableFuture<Void> closed() {
        return closed;
    }

    @Override
    public void close() {
        var unusedServer = server.close();
        if (!connection.cancel(false) && !connection.isCompletedExceptionally()) {
            var unused = connection.join().close();
        }
    }
}
