// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * The state of a machine without its memory, which stays in the file that backs it (QEMU's migration capability {@code
 * x-ignore-shared}): to a file, and from it into another QEMU. The bytes go over a unix socket that this process serves or
 * dials; QEMU starts no program for it.
 */
final class Migration {
    /** Measured: 170 KB. */
    private static final long MAX_STATE = 64L << 20;

    /** Bytes in a second: more than any host moves. QEMU's default is 128 MiB. */
    private static final long UNLIMITED = 1L << 40;

    private static final Duration CANCEL = Duration.ofSeconds(5);
    private static final int CHUNK = 64 << 10;
    private static final Duration POLL = Duration.ofMillis(2);

    private Migration() {}

    /** Halts the machine and writes its state. */
    static void save(Link link, Path socket, Path state, Deadline deadline) {
        try {
            Files.deleteIfExists(socket);
            try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                server.bind(UnixDomainSocketAddress.of(socket));
                server.configureBlocking(false);
                execute(link, "stop", Map.of(), deadline);
                ignoreMemory(link, true, deadline);
                execute(link, "migrate", Map.of("uri", "unix:" + socket), deadline);
                receive(server, state, deadline);
            } finally {
                Files.deleteIfExists(socket);
            }
        } catch (IOException e) {
            throw new HypervisorException("cannot save the machine's state to " + state + ": " + e, e);
        }
        await(link, "query-migrate", List.of("completed"), "the end of the saving", deadline);
    }

    /** Gives the state to a QEMU that waits for it ({@code -incoming defer}), and lets the machine run on. */
    static void restore(Link link, Path socket, Path state, Deadline deadline) {
        ignoreMemory(link, true, deadline);
        execute(link, "migrate-incoming", Map.of("uri", "unix:" + socket), deadline);
        try (SocketChannel connection = SocketChannel.open(UnixDomainSocketAddress.of(socket));
                FileChannel file = FileChannel.open(state, StandardOpenOption.READ)) {
            connection.configureBlocking(false);
            long at = 0;
            while (at < file.size()) {
                long sent = file.transferTo(at, file.size() - at, connection);
                at += sent;
                if (sent == 0) {
                    ready(connection, SelectionKey.OP_WRITE, deadline);
                }
            }
        } catch (IOException e) {
            throw new HypervisorException("cannot give the state in " + state + " to QEMU: " + e, e);
        }
        awaitTaken(link, deadline);
        execute(link, "cont", Map.of(), deadline);
    }

    /** A QEMU that waits for a state ({@code -incoming defer}) has taken it over, and is halted. */
    static void awaitTaken(Link link, Deadline deadline) {
        await(
                link,
                "query-status",
                List.of("paused", "prelaunch", "running"),
                "the taking over of the state",
                deadline);
    }

    /** Has a QEMU that waits for a state, and for the memory with it, listen on a socket. */
    static void listen(Link link, Path socket, Deadline deadline) {
        ignoreMemory(link, false, deadline);
        execute(link, "migrate-incoming", Map.of("uri", "unix:" + socket), deadline);
    }

    /** Gives state and memory to a QEMU that {@linkplain #listen listens}; the machine is halted meanwhile. */
    static void send(Link link, Path socket, Deadline deadline) {
        ignoreMemory(link, false, deadline); // a clone was told the opposite when it began
        execute(link, "migrate-set-parameters", Map.of("max-bandwidth", UNLIMITED), deadline);
        execute(link, "stop", Map.of(), deadline);
        try {
            execute(link, "migrate", Map.of("uri", "unix:" + socket), deadline);
            await(link, "query-migrate", List.of("completed"), "the copying of the machine", deadline);
        } catch (RuntimeException e) {
            runOn(link, e);
            throw e;
        }
        execute(link, "cont", Map.of(), Deadline.after(CANCEL));
    }

    /** After a failure; an interrupt, which may be that failure, does not prevent it. */
    private static void runOn(Link link, RuntimeException failure) {
        boolean interrupted = Thread.interrupted();
        try {
            for (String command : List.of("migrate_cancel", "cont")) {
                try {
                    execute(link, command, Map.of(), Deadline.after(CANCEL));
                } catch (RuntimeException further) {
                    failure.addSuppressed(further);
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static void ignoreMemory(Link link, boolean ignored, Deadline deadline) {
        execute(
                link,
                "migrate-set-capabilities",
                Map.of("capabilities", List.of(Map.of("capability", "x-ignore-shared", "state", ignored))),
                deadline);
    }

    private static void receive(ServerSocketChannel server, Path state, Deadline deadline) throws IOException {
        ready(server, SelectionKey.OP_ACCEPT, deadline);
        try (SocketChannel connection = server.accept();
                FileChannel file = FileChannel.open(state, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            connection.configureBlocking(false);
            ByteBuffer buffer = ByteBuffer.allocate(CHUNK);
            long size = 0;
            while (true) {
                int count = connection.read(buffer.clear());
                if (count < 0) {
                    return;
                } else if (count == 0) {
                    ready(connection, SelectionKey.OP_READ, deadline);
                    continue;
                }
                size += count;
                if (size > MAX_STATE) {
                    throw new IOException("it has more than " + MAX_STATE + " bytes");
                }
                buffer.flip();
                while (buffer.hasRemaining()) {
                    int unused = file.write(buffer);
                }
            }
        }
    }

    private static void ready(SelectableChannel channel, int operation, Deadline deadline) throws IOException {
        try (Selector selector = Selector.open()) {
            var unusedKey = channel.register(selector, operation);
            if (selector.select(Math.max(1, deadline.remaining().toMillis())) == 0) {
                if (Thread.currentThread().isInterrupted()) {
                    throw new CancelledException("interrupted while the machine's state was moved");
                }
                throw deadline.exceeded("the moving of the machine's state");
            }
        }
    }

    /** Each question is answered by QEMU's main loop, which does the work meanwhile. */
    private static void await(Link link, String question, List<String> wanted, String what, Deadline deadline) {
        while (true) {
            JsonNode answer = link.call(deadline, qmp -> qmp.execute(question, Map.of(), deadline));
            String status = answer.path("status").asText();
            if (wanted.contains(status)) {
                return;
            } else if (status.equals("failed") || status.equals("internal-error")) {
                throw new HypervisorException(
                        what + " failed: " + answer.path("error-desc").asText(status));
            } else if (deadline.remaining().isZero()) {
                throw new DeadlineExceededException(what + " did not happen in time, QEMU says " + status);
            }
            pause();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(POLL.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while the machine's state was moved");
        }
    }

    private static void execute(Link link, String command, Map<String, ?> arguments, Deadline deadline) {
        try {
            var unused = link.call(deadline, qmp -> qmp.execute(command, arguments, deadline));
        } catch (QmpException refused) {
            throw new HypervisorException("QEMU refuses " + command + ": " + refused.description(), refused);
        }
    }
}
