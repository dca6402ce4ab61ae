// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/** QEMU's end of a QMP connection, played by the test, and our end with a client of its own event loop. */
final class FakeQemu implements AutoCloseable {
    private static final String GREETING =
            "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}}, \"capabilities\": []}}";

    final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    final List<JsonNode> events = new CopyOnWriteArrayList<>();
    final QmpClient client = new QmpClient(loops.next(), events::add);
    final UnixListener listener;
    private final SocketChannel channel;
    private final BufferedReader reader;

    FakeQemu(Path directory) throws IOException {
        Path socket = directory.resolve("qmp.sock");
        listener = UnixListener.bind(loops.next(), socket, client::attach, seconds(5));
        channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        reader = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
    }

    /** Greets and agrees to the capabilities. */
    void negotiate() throws IOException {
        send(GREETING);
        JsonNode command = next();
        if (!command.path("execute").asText().equals("qmp_capabilities")) {
            throw new AssertionError("expected qmp_capabilities, got " + command);
        }
        answer(command, "{}");
        seconds(5).await(client.ready(), "the client's readiness");
    }

    JsonNode next() throws IOException {
        return new ObjectMapper().readTree(reader.readLine());
    }

    void answer(JsonNode command, String result) throws IOException {
        send("{\"return\": " + result + ", \"id\": " + command.get("id") + "}");
    }

    void send(String line) throws IOException {
        sendRaw((line + "\r\n").getBytes(StandardCharsets.UTF_8));
    }

    void sendRaw(byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    void hangUp() throws IOException {
        channel.close();
    }

    @Override
    public void close() throws IOException {
        channel.close();
        listener.close();
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
    }
}
