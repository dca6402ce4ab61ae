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
import java.util.concurrent.TimeUnit;

/**
 * A supervisor does for other commands what concerns its container, over a unix socket: it has the library loaded and a
 * connection to the guest, for which a new process takes several times as long, and one of the few channels. Each
 * connection is one request, on a thread of its own; {@link SupervisorClient} is the other side.
 */
final class SupervisorServer implements AutoCloseable {
    static final String ACCEPTED = "accepted";
    static final String DONE = "done";
    static final String FAILED = "failed";

    private static final int PATIENCE_SECONDS = 10;

    private final Path socket;
    private final ServerSocketChannel server;
    private final Containers containers;
    private final Entry entry;
    private final Execs execs = new Execs();

    /** Requests that are being answered. */
    private int busy;

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
                busy(1);
                try {
                    Message.send(connection, ACCEPTED);
                    serve(request, connection);
                } catch (CommandNotFoundException e) {
                    Message.send(connection, FAILED, String.valueOf(e.getMessage()), Integer.toString(e.exitCode()));
                } catch (VirtException | UsageException | UncheckedIOException e) {
                    Message.send(connection, FAILED, Main.text(e));
                } finally {
                    busy(-1);
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

    private synchronized void busy(int more) {
        busy += more;
        notifyAll();
    }

    /** After the end of the container: lets it be told to who started it, and to those of its other processes how they ended. */
    synchronized void awaitIdle() {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        try {
            for (long left = end - System.nanoTime(); busy > 0 && left > 0; left = end - System.nanoTime()) {
                TimeUnit.NANOSECONDS.timedWait(this, left);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        Files.deleteIfExists(socket);
    }
}
