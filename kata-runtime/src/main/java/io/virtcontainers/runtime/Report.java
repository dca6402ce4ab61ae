// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.VirtException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a supervisor tells the command that started it: that all is ready, or what went wrong. One connection to a unix
 * socket; if the command goes away before, the supervisor learns it by its end.
 */
final class Report implements AutoCloseable {
    private static final int MAX_BYTES = 1 << 16;
    private static final String READY = "ready";

    private final SocketChannel connection;

    private Report(SocketChannel connection) {
        this.connection = connection;
    }

    /** The supervisor's side. */
    static Report to(Path socket) throws IOException {
        try {
            return new Report(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
        } finally {
            Files.deleteIfExists(socket); // also if the command is killed
        }
    }

    static ServerSocketChannel listen(Path socket) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(socket));
            return server;
        } catch (IOException e) {
            server.close();
            throw new IOException("cannot listen on " + socket + ": " + e.getMessage(), e);
        }
    }

    /** Runs {@code lost} on a thread of its own if the other side goes away before the report. */
    void onLoss(Runnable lost) {
        Thread watch = new Thread(
                () -> {
                    try {
                        if (connection.read(ByteBuffer.allocate(1)) < 0) {
                            lost.run();
                        }
                    } catch (IOException closedHere) {
                        // After the report nobody needs to know any more.
                    }
                },
                "report");
        watch.setDaemon(true);
        watch.start();
    }

    void ready() throws IOException {
        send(READY);
    }

    void failed(String message) throws IOException {
        send("failed " + message);
    }

    private void send(String text) throws IOException {
        if (!connection.isOpen()) {
            return;
        }
        byte[] bytes = text.getBytes(UTF_8);
        ByteBuffer buffer = ByteBuffer.wrap(bytes, 0, Math.min(bytes.length, MAX_BYTES));
        while (buffer.hasRemaining()) {
            int unused = connection.write(buffer);
        }
        connection.close();
    }

    /**
     * The command's side: waits for the report.
     *
     * @throws VirtException with the supervisor's words, if it failed
     */
    static void await(SocketChannel connection) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer chunk = ByteBuffer.allocate(4096);
        while (all.size() <= MAX_BYTES && connection.read(chunk) >= 0) {
            all.write(chunk.array(), 0, chunk.position());
            chunk.clear();
        }
        String text = all.toString(UTF_8);
        if (text.isEmpty()) {
            throw new VirtException("the supervisor ended before it had told anything: was it killed?");
        }
        if (!text.equals(READY)) {
            throw new VirtException(text.substring(text.indexOf(' ') + 1));
        }
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }
}
