// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.ExitStatus;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.VirtException;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * A process that the supervisor of its container has started for this one, see {@link Execs}: so this one needs neither the
 * library nor a channel to the guest. It is killed when this is closed, or this process ends, before its own end.
 */
final class ExecProcess implements Relay.Subject, AutoCloseable {
    private final SocketChannel connection;
    private final List<SupervisorClient> streams = new ArrayList<>();
    private final boolean terminal;
    private final OutputStream stdin;
    private final InputStream stdout;
    private final InputStream stderr;
    private final CompletableFuture<ExitStatus> exit = new CompletableFuture<>();

    private ExecProcess(Path root, Entry entry, SocketChannel connection, String id, boolean terminal)
            throws IOException {
        this.connection = connection;
        this.terminal = terminal;
        stdin = Channels.newOutputStream(stream(root, entry, Execs.STDIN, id));
        stdout = Channels.newInputStream(stream(root, entry, Execs.STDOUT, id));
        stderr = terminal
                ? InputStream.nullInputStream()
                : Channels.newInputStream(stream(root, entry, Execs.STDERR, id));
    }

    /** @throws VirtException with the supervisor's words, if it cannot be started */
    static ExecProcess start(Path root, Entry entry, ExecOptions exec) throws IOException {
        List<String> request = new ArrayList<>(List.of("exec"));
        request.addAll(exec.words());
        SupervisorClient client = SupervisorClient.ask(root, entry, request)
                .orElseThrow(() -> new VirtException("the supervisor of container " + entry.id() + ", "
                        + entry.supervisor() + ", does not answer: is it stopped?"));
        try {
            List<String> answer =
                    client.result().orElseThrow(() -> new VirtException("container " + entry.id() + " ended"));
            ExecProcess process = new ExecProcess(
                    root, entry, client.connection(), answer.get(0), Boolean.parseBoolean(answer.get(1)));
            Thread watch = new Thread(process::awaitEnd, "exec");
            watch.setDaemon(true);
            watch.start();
            return process;
        } catch (IOException | VirtException e) {
            client.close();
            throw e;
        }
    }

    private SocketChannel stream(Path root, Entry entry, String name, String id) throws IOException {
        SupervisorClient stream = SupervisorClient.ask(root, entry, List.of(name, id))
                .orElseThrow(() -> new IOException("the supervisor of the container has ended"));
        streams.add(stream);
        return stream.connection();
    }

    private void awaitEnd() {
        int code = Relay.UNKNOWN;
        try {
            Optional<List<String>> told = Message.receive(connection);
            code = told.isPresent() ? Integer.parseInt(told.get().get(0)) : code;
        } catch (IOException supervisorEnded) {
            // How the process did is not known.
        }
        exit.complete(new ExitStatus(code));
    }

    boolean terminal() {
        return terminal;
    }

    @Override
    public OutputStream stdin() {
        return stdin;
    }

    @Override
    public InputStream stdout() {
        return stdout;
    }

    @Override
    public InputStream stderr() {
        return stderr;
    }

    @Override
    public CompletableFuture<ExitStatus> onExit() {
        return exit;
    }

    @Override
    public void signal(Signal signal) {
        tell(Execs.SIGNAL, Integer.toString(signal.number()));
    }

    @Override
    public void resize(TerminalSize size) {
        tell(Execs.RESIZE, Integer.toString(size.rows()), Integer.toString(size.columns()));
    }

    private synchronized void tell(String... message) {
        try {
            Message.send(connection, message);
        } catch (IOException e) {
            throw new VirtException("the process has ended", e);
        }
    }

    @Override
    public void close() throws IOException {
        for (SupervisorClient stream : streams) {
            stream.close();
        }
        connection.close();
    }
}
