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
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * What a supervisor tells the command that started it: that all is ready, or what went wrong. One connection to a unix
 * socket, which the command keeps open as long as it lives: if it goes away before the report, the supervisor learns it;
 * and after it the supervisor does not end before the command has, whose child it is until then. For else the command
 * would get its exit code, and not the engine.
 */
final class Report implements AutoCloseable {
    private static final int MAX_BYTES = 1 << 16;
    private static final String READY = "ready";
    private static final int PATIENCE_SECONDS = 10;

    private final SocketChannel connection;
    private final CountDownLatch alone = new CountDownLatch(1);
    private volatile boolean told;

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

    /** Runs {@code lost} on a thread of its own if the command goes away before the report. */
    void onLoss(Runnable lost) {
        Thread watch = new Thread(
                () -> {
                    try {
                        int unused = connection.read(ByteBuffer.allocate(1)); // it sends nothing
                    } catch (IOException closed) {
                        alone.countDown();
                    }
                    alone.countDown();
                    if (!told) {
                        lost.run();
                    }
                },
                "report");
        watch.setDaemon(true);
        watch.start();
    }

    void ready() throws IOException {
        told = true;
        send(READY);
    }

    /** Does nothing after another report. */
    void failed(String message) throws IOException {
        if (!told) {
            told = true;
            send("failed " + message);
            connection.close();
        }
    }

    private void send(String text) throws IOException {
        byte[] bytes = text.getBytes(UTF_8);
        ByteBuffer buffer = ByteBuffer.wrap(bytes, 0, Math.min(bytes.length, MAX_BYTES));
        while (buffer.hasRemaining()) {
            int unused = connection.write(buffer);
        }
    }

    /** Waits until the command has ended, for some seconds. */
    void awaitEndOfCommand() throws InterruptedException {
        boolean unused = alone.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
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
            if (all.toString(UTF_8).equals(READY)) {
                return;
            }
        }
        String text = all.toString(UTF_8);
        if (text.isEmpty()) {
            throw new VirtException("the supervisor ended before it had told anything: was it killed?");
        }
        throw new VirtException(text.substring(text.indexOf(' ') + 1));
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }
}
