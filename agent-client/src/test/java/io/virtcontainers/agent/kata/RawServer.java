// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/** A unix socket with something other than an agent behind it. */
final class RawServer implements AutoCloseable {
    private interface Behaviour {
        void accepted(SocketChannel client) throws IOException;
    }

    private final Path socket;
    private final ServerSocketChannel listener;
    private final Queue<SocketChannel> clients = new ConcurrentLinkedQueue<>();
    private final AtomicInteger accepted = new AtomicInteger();

    private RawServer(Path socket, Behaviour behaviour) throws IOException {
        this.socket = socket;
        listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of(socket));
        Thread thread = new Thread(() -> acceptAll(behaviour), "raw-server");
        thread.setDaemon(true);
        thread.start();
    }

    /** Accepts and never says a word, as the hypervisor does while the guest boots. */
    static RawServer silent(Path socket) throws IOException {
        return new RawServer(socket, client -> {});
    }

    /** Sends the greeting back, and then a text. */
    static RawServer sending(Path socket, String text) throws IOException {
        return sending(socket, text.getBytes(StandardCharsets.UTF_8));
    }

    static RawServer sending(Path socket, byte[] bytes) throws IOException {
        return new RawServer(socket, client -> {
            ByteBuffer greeting = ByteBuffer.allocate(24);
            while (greeting.hasRemaining() && client.read(greeting) >= 0) {}
            client.write(greeting.flip());
            client.write(ByteBuffer.wrap(bytes));
        });
    }

    /** Sends a text at once. */
    static RawServer talking(Path socket, String text) throws IOException {
        return new RawServer(socket, client -> client.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))));
    }

    static RawServer closing(Path socket) throws IOException {
        return new RawServer(socket, SocketChannel::close);
    }

    private void acceptAll(Behaviour behaviour) {
        while (listener.isOpen()) {
            try {
                SocketChannel client = listener.accept();
                clients.add(client);
                behaviour.accepted(client);
                accepted.incrementAndGet();
            } catch (IOException e) {
                // Closed, by one side or the other: the loop's condition tells.
            }
        }
    }

    int accepted() {
        return accepted.get();
    }

    /** Removes the socket; the connections stay. */
    void stopListening() throws IOException {
        listener.close();
        Files.deleteIfExists(socket);
    }

    @Override
    public void close() throws IOException {
        stopListening();
        for (SocketChannel client : clients) {
            client.close();
        }
    }
}
