// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * The link of a process that attaches to a detached QEMU: its second monitor, which serves one connection at a time and so
 * is open only during a call. Calls of one process follow one another.
 */
final class ControlSocket implements Link {
    private static final long CLOSE_SECONDS = 1;

    private final Path path;
    private final EventLoop loop;
    private final QemuEvents events = new QemuEvents();
    private final ReentrantLock lock = new ReentrantLock();
    private volatile boolean closed;

    ControlSocket(Path path, EventLoop loop) {
        this.path = path;
        this.loop = loop;
    }

    @Override
    public <T> T call(Deadline deadline, Function<QmpSession, T> action) {
        Locks.acquire(lock, deadline, "the end of another call on " + path);
        try {
            if (closed) {
                throw new HypervisorException("the machine was let go of here, or has ended: " + path);
            }
            QmpClient client = new QmpClient(loop, events);
            Channel channel = connect(client, deadline);
            try {
                deadline.await(
                        client.ready(), "QEMU's greeting on " + path + ", which another process may have in use,");
                return action.apply(new QmpSession(client, events));
            } finally {
                // The next process can connect as soon as this call is over.
                boolean unused = channel.close().awaitUninterruptibly(CLOSE_SECONDS, TimeUnit.SECONDS);
            }
        } finally {
            lock.unlock();
        }
    }

    private Channel connect(QmpClient client, Deadline deadline) {
        ChannelFuture connecting = new Bootstrap()
                .group(loop)
                .channel(NioDomainSocketChannel.class)
                .option(ChannelOption.ALLOCATOR, UnpooledByteBufAllocator.DEFAULT)
                .handler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        client.attach(channel);
                    }
                })
                .connect(UnixDomainSocketAddress.of(path));
        CompletableFuture<Channel> connected = new CompletableFuture<>();
        connecting.addListener(done -> {
            if (done.isSuccess()) {
                connected.complete(connecting.channel());
            } else {
                connected.completeExceptionally(new HypervisorException(
                        "cannot connect to QEMU at " + path + ": " + done.cause(), done.cause()));
            }
        });
        try {
            return deadline.await(connected, "a connection to QEMU at " + path);
        } catch (RuntimeException e) {
            var unused = connecting.channel().close();
            throw e;
        }
    }

    @Override
    public QemuEvents events() {
        return events;
    }

    /** Empty: QEMU writes the console to the process that launched it. */
    @Override
    public String console() {
        return "";
    }

    @Override
    public CompletableFuture<Void> drained() {
        return CompletableFuture.completedFuture(null);
    }

    /** Refuses later calls. */
    @Override
    public void close() {
        closed = true;
    }
}
