// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** What a stream of the guest is measured against: as many bytes through a unix socket between two threads of this JVM. */
final class SocketPipe {
    private static final int PIECE = 1 << 20;

    private SocketPipe() {}

    static Duration transfer(long bytes) throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("vcb");
        Path path = directory.resolve("pipe.sock");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            long start = System.nanoTime();
            Thread writer = new Thread(() -> write(path, bytes), "bench-writer");
            writer.start();
            try (SocketChannel channel = server.accept()) {
                ByteBuffer buffer = ByteBuffer.allocateDirect(PIECE);
                while (channel.read(buffer.clear()) >= 0) {
                    // Only the passage counts.
                }
            }
            writer.join();
            return Duration.ofNanos(System.nanoTime() - start);
        } finally {
            Files.deleteIfExists(path);
            Files.delete(directory);
        }
    }

    private static void write(Path path, long bytes) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(PIECE);
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            for (long left = bytes; left > 0; ) {
                buffer.clear().limit((int) Math.min(PIECE, left));
                left -= channel.write(buffer);
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
