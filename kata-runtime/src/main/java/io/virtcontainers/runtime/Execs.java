// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The processes that a supervisor has started for others, which are {@link ExecProcess}es there. The connection over which
 * one was asked for takes its signals and tells its end; a process whose connection closes before that is killed, so that
 * none outlives the one who wanted it, however that ended. Each stream has a connection of its own, which nothing but that
 * stream's reader can hold up.
 */
final class Execs {
    static final String STDIN = "stdin";
    static final String STDOUT = "stdout";
    static final String STDERR = "stderr";
    static final String SIGNAL = "signal";
    static final String RESIZE = "resize";

    private static final int CHUNK = 1 << 16;

    private final Map<String, GuestProcess> running = new HashMap<>();

    /** Starts it and stays with it until who asked is gone. */
    void run(Container container, ProcessConfig config, SocketChannel connection) throws IOException {
        GuestProcess process = container.exec(config);
        try {
            add(process);
            Message.send(
                    connection,
                    SupervisorServer.DONE,
                    process.id(),
                    Boolean.toString(config.terminal().isPresent()));
            var unused = process.onExit().whenCompleteAsync((exit, e) -> tell(connection, exit));
            for (var request = Message.receive(connection);
                    request.isPresent();
                    request = Message.receive(connection)) {
                obey(process, request.get());
            }
        } finally {
            end(process);
        }
    }

    private static void tell(SocketChannel connection, @Nullable ExitStatus exit) {
        try {
            Message.send(connection, Integer.toString(exit == null ? Relay.UNKNOWN : exit.code()));
        } catch (IOException gone) {
            return;
        }
    }

    private static void obey(GuestProcess process, List<String> request) {
        try {
            if (request.get(0).equals(SIGNAL)) {
                process.signal(Signal.of(request.get(1)));
            } else if (request.get(0).equals(RESIZE)) {
                process.resize(new TerminalSize(Integer.parseInt(request.get(1)), Integer.parseInt(request.get(2))));
            }
        } catch (VirtException e) {
            return; // the process has ended: its end is told
        }
    }

    private void end(GuestProcess process) {
        try {
            if (!process.onExit().isDone()) {
                process.signal(Signal.KILL);
            }
            process.stdout().close(); // of which a child that it left behind may hold the other end
            process.stderr().close();
        } catch (VirtException | IOException machineEnded) {
            return;
        } finally {
            remove(process);
        }
    }

    private synchronized void add(GuestProcess process) {
        running.put(process.id(), process);
    }

    private synchronized void remove(GuestProcess process) {
        running.remove(process.id());
    }

    private synchronized GuestProcess get(String id) {
        return Optional.ofNullable(running.get(id))
                .orElseThrow(() -> new NotFoundException("there is no process " + id + ": it has ended"));
    }

    /** Passes on one stream until its end. */
    void copy(String stream, String id, SocketChannel connection) throws IOException {
        GuestProcess process = get(id);
        if (stream.equals(STDIN)) {
            try (InputStream in = Channels.newInputStream(connection);
                    OutputStream out = process.stdin()) {
                copy(in, out);
            }
        } else {
            try (InputStream in = stream.equals(STDOUT) ? process.stdout() : process.stderr();
                    OutputStream out = Channels.newOutputStream(connection)) {
                copy(in, out);
            }
        }
    }

    private static void copy(InputStream in, OutputStream out) throws IOException {
        byte[] chunk = new byte[CHUNK];
        for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
            out.write(chunk, 0, n);
            out.flush();
        }
    }
}
