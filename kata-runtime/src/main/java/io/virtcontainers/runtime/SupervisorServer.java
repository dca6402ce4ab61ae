// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.Container;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtException;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A supervisor does for other commands what concerns its container, over a unix socket: it has the library loaded and a
 * connection to the guest, for which a new process takes several times as long, and one of the few channels. Each
 * connection is one request, on a thread of its own; {@link SupervisorClient} is the other side.
 */
final class SupervisorServer implements AutoCloseable {
    static final String ACCEPTED = "accepted";
    static final String DONE = "done";
    static final String FAILED = "failed";

    private final Path socket;
    private final ServerSocketChannel server;
    private final Containers containers;
    private final Entry entry;
    private final Execs execs = new Execs();

    private SupervisorServer(Path socket, ServerSocketChannel server, Containers containers, Entry entry) {
        this.socket = socket;
        this.server = server;
        this.containers = containers;
        this.entry = entry;
    }

    static Path socket(Path root, long pid) {
        return root.resolve("supervisor-" + pid);
    }

    /** @param entry of the container for which this process stands */
    static SupervisorServer start(Path root, Containers containers, Entry entry) throws IOException {
        Path socket = socket(root, ProcessHandle.current().pid());
        Files.deleteIfExists(socket); // of an earlier process with this pid
        SupervisorServer started = new SupervisorServer(socket, Report.listen(socket), containers, entry);
        daemon("clients", started::accept);
        return started;
    }

    private static void daemon(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
    }

    private void accept() {
        while (server.isOpen()) {
            try {
                SocketChannel connection = server.accept();
                daemon("client", () -> serve(connection));
            } catch (IOException closed) {
                return;
            }
        }
    }

    private void serve(SocketChannel connection) {
        try (connection) {
            List<String> request = Message.receive(connection).orElse(List.of());
            if (!request.isEmpty()) {
                Message.send(connection, ACCEPTED);
                try {
                    serve(request, connection);
                } catch (CommandNotFoundException e) {
                    Message.send(connection, FAILED, String.valueOf(e.getMessage()), Integer.toString(e.exitCode()));
                } catch (VirtException | UsageException | UncheckedIOException e) {
                    Message.send(connection, FAILED, Main.text(e));
                }
            }
        } catch (IOException gone) {
            return; // who asked has ended
        }
    }

    private void serve(List<String> request, SocketChannel connection) throws IOException {
        switch (request.get(0)) {
            case "state" ->
                Message.send(connection, DONE, containers.state(entry).toJson());
            case "start" -> {
                StartCommand.start(containers, entry);
                Message.send(connection, DONE);
            }
            case "kill" -> {
                KillCommand.kill(containers, entry, Signal.of(request.get(1)), Boolean.parseBoolean(request.get(2)));
                Message.send(connection, DONE);
            }
            case "exec" -> {
                ExecOptions exec = ExecOptions.parse(request.subList(1, request.size()));
                Container container = ExecCommand.usable(containers, exec.id());
                execs.run(container, exec.process(container.config().process()), connection);
            }
            case Execs.STDIN, Execs.STDOUT, Execs.STDERR -> execs.copy(request.get(0), request.get(1), connection);
            default -> throw new UsageException("no request of this program: " + request.get(0));
        }
    }

    /** After the end of the container, with which its processes have ended: lets them tell how. */
    void awaitExecs() {
        execs.awaitNone();
    }

    @Override
    public void close() throws IOException {
        server.close();
        Files.deleteIfExists(socket);
    }
}
