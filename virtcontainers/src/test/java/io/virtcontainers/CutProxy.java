// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Stands between a client and the socket of a channel, and does harm once for each {@link #arm}. Serves one connection
 * after the other, as the channel does. Thread-safe.
 */
final class CutProxy implements AutoCloseable {
    enum Harm {
        /** Both ends see the end of the stream. */
        CUT,
        /** Only the receiver of the direction sees the end. */
        HALF_CLOSE,
        /** Bytes go missing; the connection stays. */
        DROP,
        /** Bytes are changed; the connection stays. */
        GARBLE,
        /** All that follows goes missing; the connection stays. */
        MUTE
    }

    /**
     * @param toGuest the direction
     * @param after how many bytes of the direction pass first, counted from when the plan is made
     * @param length of what is dropped or garbled, at least 1
     */
    record Plan(Harm harm, boolean toGuest, int after, int length, long seed) {}

    private static final int PIECE = 64 << 10;

    private final Path target;
    private final ServerSocketChannel server;
    private final AtomicReference<@Nullable Plan> plan = new AtomicReference<>();
    private volatile @Nullable SocketChannel client;
    private volatile @Nullable SocketChannel channel;

    CutProxy(Path listening, Path target) throws IOException {
        this.target = target;
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(listening));
        daemon(this::serve);
    }

    void arm(Plan next) {
        plan.set(next);
    }

    /** Whether the harm of the last plan is still to be done. */
    boolean isArmed() {
        return plan.get() != null;
    }

    private static Thread daemon(Runnable work) {
        Thread thread = new Thread(work, "cut-proxy");
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private void serve() {
        while (server.isOpen()) {
            try (SocketChannel near = server.accept();
                    SocketChannel far = SocketChannel.open(UnixDomainSocketAddress.of(target))) {
                client = near;
                channel = far;
                Thread there = daemon(() -> pump(near, far, true));
                pump(far, near, false);
                there.join();
            } catch (IOException e) {
                // The next connection may do better.
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private void pump(SocketChannel from, SocketChannel to, boolean toGuest) {
        ByteBuffer piece = ByteBuffer.allocate(PIECE);
        @Nullable Plan seen = null;
        int passed = 0;
        try {
            while (from.read(piece.clear()) >= 0) {
                piece.flip();
                Plan now = plan.get();
                if (!Objects.equals(now, seen)) {
                    seen = now;
                    passed = 0;
                }
                if (now != null && now.toGuest == toGuest) {
                    if (passed + piece.remaining() > now.after && plan.compareAndSet(now, null)) {
                        if (!harm(now, piece, now.after - passed, from, to)) {
                            return;
                        }
                        continue;
                    }
                    passed += piece.remaining();
                }
                write(to, piece);
            }
        } catch (IOException e) {
            // The other direction has closed them.
        }
        // Both at once, as the client and QEMU do: while its guest takes no bytes, QEMU learns of nothing less.
        close(from, to);
    }

    /** Whether the direction goes on. */
    private static boolean harm(Plan plan, ByteBuffer piece, int at, SocketChannel from, SocketChannel to)
            throws IOException {
        int end = Math.min(piece.limit(), at + plan.length);
        switch (plan.harm) {
            case CUT -> {
                write(to, piece.slice(0, at));
                close(from, to);
                return false;
            }
            case HALF_CLOSE -> {
                write(to, piece.slice(0, at));
                to.shutdownOutput();
                return false;
            }
            case DROP -> {
                write(to, piece.slice(0, at));
                write(to, piece.slice(end, piece.limit() - end));
            }
            case GARBLE -> {
                Random random = new Random(plan.seed);
                for (int i = at; i < end; i++) {
                    piece.put(i, (byte) (piece.get(i) ^ (1 + random.nextInt(255))));
                }
                write(to, piece);
            }
            case MUTE -> {
                while (from.read(piece.clear()) >= 0) {
                    // Nobody will know.
                }
                close(from, to);
                return false;
            }
        }
        return true;
    }

    private static void write(SocketChannel to, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            to.write(bytes);
        }
    }

    private static void close(@Nullable SocketChannel... channels) {
        for (SocketChannel open : channels) {
            try {
                if (open != null) {
                    open.close();
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        close(client, channel);
    }
}
