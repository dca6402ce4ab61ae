// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That files arrive open is proved with QEMU as the other side, by the module hypervisor-qemu. */
class UnixConnectionTest {
    @TempDir
    Path directory;

    private Path path;
    private ServerSocketChannel server;

    @BeforeEach
    void listen() throws IOException {
        path = directory.resolve("socket");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(path));
    }

    @AfterEach
    void close() throws IOException {
        server.close();
    }

    @Test
    void bytesGoBothWaysUntilTheEnd() throws IOException {
        try (UnixConnection connection = UnixConnection.connect(path, Duration.ofSeconds(10));
                SocketChannel other = server.accept()) {
            connection.send("hello".getBytes(UTF_8));
            ByteBuffer bytes = ByteBuffer.allocate(5);
            while (bytes.hasRemaining() && other.read(bytes) >= 0) {}
            assertThat(new String(bytes.array(), UTF_8)).isEqualTo("hello");
            connection.send("file".getBytes(UTF_8), Path.of("/dev/null"), false);
            other.write(ByteBuffer.wrap("answer".getBytes(UTF_8)));
            assertThat(new String(connection.receive(3), UTF_8)).isEqualTo("ans");
            assertThat(new String(connection.receive(100), UTF_8)).isEqualTo("wer");
            other.close();
            // With unread bytes left behind, the end is a reset.
            assertThatThrownBy(() -> connection.receive(1))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageContaining("Connection reset");
        }
    }

    @Test
    void anAnswerThatDoesNotComeIsAnErrorInTime() {
        try (UnixConnection connection = UnixConnection.connect(path, Duration.ofMillis(1))) {
            assertThatThrownBy(() -> connection.receive(1))
                    .isInstanceOf(LinuxException.class)
                    .hasMessage("recv: no answer in time");
        }
    }

    @Test
    void nobodyListeningAndAMissingFileAreErrors() throws IOException {
        try (UnixConnection connection = UnixConnection.connect(path, Duration.ofSeconds(1))) {
            assertThatThrownBy(() -> connection.send(new byte[1], directory.resolve("missing"), true))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageContaining("No such file or directory");
        }
        server.close();
        assertThatThrownBy(() -> UnixConnection.connect(path, Duration.ofSeconds(1)))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("Connection refused");
        Path longPath = directory.resolve("x".repeat(108));
        assertThatThrownBy(() -> UnixConnection.connect(longPath, Duration.ofSeconds(1)))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("longer than 107 bytes");
    }
}
