// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import com.google.protobuf.ByteString;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** For one test: a server with a few methods on a unix socket, and the threads for it and its clients. */
final class Fixture implements AfterEachCallback {
    static final String SERVICE = "test.Service";

    final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, NioIoHandler.newFactory());
    final ExecutorService executor = Executors.newCachedThreadPool();
    final Path socket;

    /** The futures that the method {@code hang} has returned. */
    final Queue<CompletableFuture<ByteString>> hanging = new ConcurrentLinkedQueue<>();

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    Fixture() {
        try {
            socket = Files.createTempDirectory("ttrpc").resolve("s");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Methods {@code echo}, and {@code hang}, which never ends by itself. */
    TtrpcServer.Builder builder() {
        return TtrpcServer.builder(loops, executor)
                .method(SERVICE, "echo", (request, deadline) -> CompletableFuture.completedFuture(request.payload()))
                .method(SERVICE, "hang", (request, deadline) -> {
                    CompletableFuture<ByteString> answer = new CompletableFuture<>();
                    hanging.add(answer);
                    return answer;
                });
    }

    TtrpcServer listening(TtrpcServer.Builder builder) {
        TtrpcServer server = builder.build();
        opened.push(server);
        server.listen(socket, seconds(10));
        return server;
    }

    TtrpcServer listening() {
        return listening(builder());
    }

    TtrpcClient client() {
        TtrpcClient client = TtrpcClient.connect(socket, loops, seconds(10));
        opened.push(client);
        return client;
    }

    static TtrpcRequest request(String method, ByteString payload) {
        return new TtrpcRequest(SERVICE, method, payload);
    }

    static TtrpcRequest request(String method) {
        return request(method, ByteString.EMPTY);
    }

    static ByteString bytes(String text) {
        return ByteString.copyFromUtf8(text);
    }

    static Deadline seconds(long seconds) {
        return Deadline.after(Duration.ofSeconds(seconds));
    }

    @Override
    public void afterEach(ExtensionContext context) throws Exception {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
        loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
        executor.shutdownNow();
        if (!executor.awaitTermination(5, TimeUnit.SECONDS)) {
            throw new AssertionError("a method still runs");
        }
        Files.deleteIfExists(socket);
        Files.delete(socket.getParent());
    }
}
