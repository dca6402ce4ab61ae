// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * The bare script that the library is measured against: starts the same QEMU with the same arguments and waits for the
 * same reply of the agent, {@code grpc.Health/Check}, with nothing between but canned bytes on the socket. It does what a
 * shell script with a C helper would do; it polls for QEMU's socket as such a script must.
 */
final class BareBoot {
    private static final byte[] PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(US_ASCII);
    private static final int FRAME_HEADER = 9;
    private static final int DATA = 0;
    private static final int HEADERS = 1;
    private static final int SETTINGS = 4;
    private static final int END_STREAM = 1;
    private static final int END_HEADERS = 4;

    private BareBoot() {}

    /**
     * Boots once.
     *
     * @param command QEMU and its arguments, with paths in {@code directory}
     * @param directory the working directory of the run; its files are left to the caller
     * @return from just before the exec of QEMU to the reply
     */
    static Duration run(List<String> command, Path directory, Path agentSocket)
            throws IOException, InterruptedException {
        long start = System.nanoTime();
        Process qemu = new ProcessBuilder(command)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("bare.log").toFile())
                .start();
        try (SocketChannel channel = connect(agentSocket, qemu)) {
            channel.write(ByteBuffer.wrap(request()));
            awaitReply(channel);
            return Duration.ofNanos(System.nanoTime() - start);
        } finally {
            qemu.destroyForcibly().waitFor();
        }
    }

    private static SocketChannel connect(Path socket, Process qemu) throws IOException, InterruptedException {
        while (true) {
            if (Files.exists(socket)) {
                try {
                    return SocketChannel.open(UnixDomainSocketAddress.of(socket));
                } catch (IOException notListeningYet) {
                    // bind(2) came, listen(2) has not yet.
                }
            }
            if (!qemu.isAlive()) {
                throw new IOException("QEMU ended with code " + qemu.exitValue());
            }
            Thread.sleep(1);
        }
    }

    private static byte[] request() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(PREFACE);
        frame(bytes, SETTINGS, 0, 0, new byte[0]);
        ByteArrayOutputStream headers = new ByteArrayOutputStream();
        literal(headers, ":method", "POST");
        literal(headers, ":scheme", "http");
        literal(headers, ":path", "/grpc.Health/Check");
        literal(headers, ":authority", "agent");
        literal(headers, "te", "trailers");
        literal(headers, "content-type", "application/grpc");
        frame(bytes, HEADERS, END_HEADERS, 1, headers.toByteArray());
        frame(bytes, DATA, END_STREAM, 1, new byte[] {0, 0, 0, 0, 0}); // an empty CheckRequest
        return bytes.toByteArray();
    }

    /** RFC 7541, 6.2.2: a literal without indexing and with a new name. */
    private static void literal(ByteArrayOutputStream out, String name, String value) {
        out.write(0);
        out.write(name.length());
        out.writeBytes(name.getBytes(US_ASCII));
        out.write(value.length());
        out.writeBytes(value.getBytes(US_ASCII));
    }

    /** RFC 9113, 4.1. */
    private static void frame(ByteArrayOutputStream out, int type, int flags, int stream, byte[] payload) {
        ByteBuffer header = ByteBuffer.allocate(FRAME_HEADER);
        header.put((byte) (payload.length >> 16))
                .put((byte) (payload.length >> 8))
                .put((byte) payload.length);
        header.put((byte) type).put((byte) flags).putInt(stream);
        out.writeBytes(header.array());
        out.writeBytes(payload);
    }

    /** Reads frames up to the first DATA of stream 1: the answer. */
    private static void awaitReply(SocketChannel channel) throws IOException {
        while (true) {
            ByteBuffer header = read(channel, FRAME_HEADER);
            int length = (header.get(0) & 0xff) << 16 | (header.get(1) & 0xff) << 8 | (header.get(2) & 0xff);
            int type = header.get(3);
            ByteBuffer payload = read(channel, length);
            if (type == DATA && header.getInt(5) == 1 && payload.hasRemaining()) {
                return;
            }
        }
    }

    private static ByteBuffer read(SocketChannel channel, int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes) < 0) {
                throw new IOException("the channel was closed before the reply");
            }
        }
        return bytes.flip();
    }
}
