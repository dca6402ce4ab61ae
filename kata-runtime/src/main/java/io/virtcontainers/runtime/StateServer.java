// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.VirtException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * A supervisor tells who connects the state of its container, and closes the connection: it has the library at hand, which
 * takes a new process several times as long to load as to ask. Whoever gets no answer looks for himself.
 */
final class StateServer implements AutoCloseable {
    private static final int MAX_BYTES = 1 << 20;
    private static final int SECONDS = 7; // the library waits five for a lock

    private final Path socket;
    private final ServerSocketChannel server;

    private StateServer(Path socket, ServerSocketChannel server) {
        this.socket = socket;
        this.server = server;
    }

    static Path socket(Path root, long pid) {
        return root.resolve("supervisor-" + pid);
    }

    static StateServer start(Path root, Supplier<String> state) throws IOException {
        Path socket = socket(root, ProcessHandle.current().pid());
        Files.deleteIfExists(socket); // of an earlier process with this pid
        StateServer started = new StateServer(socket, Report.listen(socket));
        Thread thread = new Thread(() -> started.serve(state), "state");
        thread.setDaemon(true);
        thread.start();
        return started;
    }

    private void serve(Supplier<String> state) {
        while (server.isOpen()) {
            try (SocketChannel connection = server.accept()) {
                connection.configureBlocking(
                        false); // what does not fit into the socket's buffer, a stopped reader's, is lost
                int unused = connection.write(ByteBuffer.wrap(state.get().getBytes(UTF_8)));
            } catch (IOException | VirtException unanswered) {
                Thread.onSpinWait(); // the reader has gone, or looks for himself
            }
        }
    }

    /** The state as the supervisor tells it; empty if it does not. */
    static Optional<String> ask(Path root, long pid) {
        Path socket = socket(root, pid);
        if (!Files.exists(socket)) {
            return Optional.empty();
        }
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        try (SocketChannel connection = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            CompletableFuture.delayedExecutor(SECONDS, TimeUnit.SECONDS).execute(() -> close(connection));
            ByteBuffer chunk = ByteBuffer.allocate(4096);
            while (all.size() < MAX_BYTES && connection.read(chunk) >= 0) {
                all.write(chunk.array(), 0, chunk.position());
                chunk.clear();
            }
        } catch (IOException e) {
            return Optional.empty();
        }
        String text = all.toString(UTF_8);
        return text.endsWith("}") ? Optional.of(text) : Optional.empty();
    }

    private static void close(SocketChannel connection) {
        try {
            connection.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        Files.deleteIfExists(socket);
    }
}
