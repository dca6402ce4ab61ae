// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.VirtException;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** Asks a supervisor to do something, see {@link SupervisorServer}. One request each. */
final class SupervisorClient implements AutoCloseable {
    /** Until it says that it will: a stopped process never does. */
    private static final long ACCEPT_SECONDS = 7;

    /** Until it has done it; its own deadlines are shorter, but for hooks. */
    private static final long RESULT_SECONDS = 600;

    private final SocketChannel connection;

    private SupervisorClient(SocketChannel connection) {
        this.connection = connection;
    }

    /** Empty if there is none who answers; what was asked has then not been done, and will not be. */
    static Optional<SupervisorClient> ask(Path root, Entry entry, List<String> request) {
        Path socket = SupervisorServer.socket(root, entry.supervisor().pid());
        if (!entry.supervisor().isAlive() || !Files.exists(socket)) {
            return Optional.empty();
        }
        try {
            SupervisorClient client = new SupervisorClient(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
            try {
                Message.send(client.connection, request);
                if (client.receive(ACCEPT_SECONDS).equals(List.of(SupervisorServer.ACCEPTED))) {
                    return Optional.of(client);
                }
            } catch (IOException e) {
                client.close();
                throw e;
            }
            client.close();
        } catch (IOException nobody) {
            return Optional.empty();
        }
        return Optional.empty();
    }

    /**
     * Asks, and waits until it has been done.
     *
     * @return what was answered; empty if nobody did, or he ended before: whoever asks then looks for himself
     */
    static Optional<List<String>> answer(Path root, Entry entry, String... request) {
        Optional<SupervisorClient> client = ask(root, entry, List.of(request));
        if (client.isEmpty()) {
            return Optional.empty();
        }
        try (SupervisorClient asked = client.get()) {
            return asked.result();
        } catch (IOException ended) {
            return Optional.empty();
        }
    }

    /**
     * What it answers; empty if it ends before.
     *
     * @throws VirtException with its words, if it failed
     */
    Optional<List<String>> result() throws IOException {
        List<String> answer = receive(RESULT_SECONDS);
        if (answer.isEmpty()) {
            return Optional.empty();
        }
        if (answer.get(0).equals(SupervisorServer.FAILED)) {
            throw answer.size() > 2
                    ? new CommandNotFoundException(answer.get(1), Integer.parseInt(answer.get(2)))
                    : new VirtException(answer.get(1));
        }
        return Optional.of(answer.subList(1, answer.size()));
    }

    SocketChannel connection() {
        return connection;
    }

    private List<String> receive(long seconds) throws IOException {
        Executor late = CompletableFuture.delayedExecutor(seconds, TimeUnit.SECONDS);
        CompletableFuture<Void> cut = CompletableFuture.runAsync(this::closeLate, late);
        try {
            return Message.receive(connection).orElse(List.of());
        } finally {
            boolean unused = cut.cancel(false);
        }
    }

    private void closeLate() {
        try {
            close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }
}
