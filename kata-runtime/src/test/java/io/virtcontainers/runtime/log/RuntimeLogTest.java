// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lines have Kata's fields, in both forms, and go to the host's log too. */
class RuntimeLogTest {
    @TempDir
    Path directory;

    @AfterEach
    void close() throws IOException {
        RuntimeLog.close();
    }

    private List<String> lines() throws IOException {
        return Files.readAllLines(directory.resolve("log"));
    }

    private void open(boolean json, Optional<SystemLog> system) throws IOException {
        RuntimeLog.open(Optional.of(directory.resolve("log")), json, "create", system);
    }

    @Test
    void aLineOfJsonHasWhatEnginesAndKataLookFor() throws IOException {
        open(true, Optional.empty());
        RuntimeLog.current().about("c1", "s1");
        RuntimeLog.current().write(Level.ERROR, "two\n\"lines\"");
        JsonNode line = new ObjectMapper().readTree(lines().get(0));
        assertThat(line.path("level").asText()).isEqualTo("error");
        assertThat(line.path("msg").asText()).isEqualTo("two\n\"lines\"");
        assertThat(line.path("name").asText()).isEqualTo("kata-runtime");
        assertThat(line.path("source").asText()).isEqualTo("runtime");
        assertThat(line.path("command").asText()).isEqualTo("create");
        assertThat(line.path("container").asText()).isEqualTo("c1");
        assertThat(line.path("sandbox").asText()).isEqualTo("s1");
        assertThat(line.path("pid").asLong()).isEqualTo(ProcessHandle.current().pid());
        assertThat(Duration.between(
                        java.time.OffsetDateTime.parse(line.path("time").asText())
                                .toInstant(),
                        Instant.now()))
                .isLessThan(Duration.ofMinutes(1));
        assertThat(Files.getPosixFilePermissions(directory.resolve("log")))
                .isEqualTo(PosixFilePermissions.fromString("rw-r-----"));
    }

    @Test
    void aLineOfTextIsThatOfLogrus() throws Exception {
        open(false, Optional.empty());
        RuntimeLog.current().write(Level.WARNING, "say \"x\"");
        assertThat(lines().get(0))
                .matches("time=\"[0-9T:.+-]+Z?\" level=warning msg=\"say \\\\\"x\\\\\"\" arch=\\w+ command=create"
                        + " name=kata-runtime pid=\\d+ source=runtime");
        assertThat(LogEntry.parse(lines().get(0)).message()).isEqualTo("say \"x\"");
    }

    @Test
    void linesAreAppendedAndDebugOnlyIfAskedFor() throws IOException {
        Files.writeString(directory.resolve("log"), "before\n");
        open(false, Optional.empty());
        RuntimeLog.current().write(Level.DEBUG, "not this");
        RuntimeLog.current().level(Level.DEBUG);
        RuntimeLog.current().write(Level.DEBUG, "but this");
        assertThat(lines()).hasSize(2).first().isEqualTo("before");
        assertThat(lines().get(1)).contains("but this");
    }

    @Test
    void theLibraryLogsByItsLoggers() throws Exception {
        open(false, Optional.empty());
        RuntimeLog.current().level(Level.DEBUG);
        KataLogger library = new KataLogger("io.virtcontainers.hypervisor.qemu.QemuHypervisor");
        library.info("qemu launched sandbox={} pid={}", "s2", 7);
        library.atDebug().addKeyValue("container", "c2").log("with a field");
        library.warn("an error", new IllegalStateException("why"));
        new KataLogger("io.netty.Foreign").info("not this");
        new KataLogger("io.virtcontainers.console")
                .atDebug()
                .addKeyValue("sandbox", "s2")
                .log("sandbox=forged");
        List<String> all = lines();
        assertThat(all).hasSize(4);
        LogEntry launched = LogEntry.parse(all.get(0));
        assertThat(launched.message()).isEqualTo("qemu launched sandbox=s2 pid=7");
        assertThat(launched.fields())
                .containsEntry("sandbox", "s2")
                .containsEntry("source", "virtcontainers")
                .containsEntry("subsystem", "qemu");
        assertThat(LogEntry.parse(all.get(1)).fields()).containsEntry("container", "c2");
        assertThat(LogEntry.parse(all.get(2)).message()).isEqualTo("an error: java.lang.IllegalStateException: why");
        assertThat(LogEntry.parse(all.get(3)).fields())
                .containsEntry("source", "vmconsole")
                .containsEntry("sandbox", "s2");
    }

    @Test
    void theJournalGetsItByItsStream() throws IOException {
        Path socket = directory.resolve("journal");
        try (ServerSocketChannel journal = listen(socket)) {
            open(false, SystemLog.find(socket, directory.resolve("none")));
            RuntimeLog.current().write(Level.ERROR, "first");
            RuntimeLog.current().write(Level.INFO, "second");
            try (SocketChannel connection = journal.accept()) {
                RuntimeLog.close();
                List<String> received = reader(connection).lines().toList();
                assertThat(received.subList(0, 7)).containsExactly("kata-runtime", "", "6", "1", "0", "0", "0");
                assertThat(received.get(7)).startsWith("<3>time=").contains("level=error msg=\"first\"");
                assertThat(received.get(8)).startsWith("<6>time=").contains("msg=\"second\"");
            }
        }
        assertThat(lines()).hasSize(2);
    }

    @Test
    void syslogGetsItByLogger() throws IOException {
        Path socket = directory.resolve("syslog");
        try (ServerSocketChannel syslog = listen(socket)) {
            open(false, SystemLog.find(directory.resolve("none"), socket));
            RuntimeLog.current().write(Level.ERROR, "what failed");
            try (SocketChannel connection = syslog.accept()) {
                assertThat(reader(connection).readLine())
                        .startsWith("<11>")
                        .contains("kata-runtime[" + ProcessHandle.current().pid() + "]: time=")
                        .contains("msg=\"what failed\"");
            }
        }
    }

    @Test
    void withoutASystemLogNothingIsMissed() throws IOException {
        assertThat(SystemLog.find(directory.resolve("none"), directory.resolve("none")))
                .isEmpty();
        Path dead = directory.resolve("dead");
        listen(dead).close();
        open(false, SystemLog.find(dead, directory.resolve("none")));
        RuntimeLog.current().write(Level.ERROR, "first");
        RuntimeLog.current().write(Level.ERROR, "second");
        RuntimeLog.close();
        open(false, SystemLog.find(directory.resolve("none"), dead));
        RuntimeLog.current().write(Level.ERROR, "third");
        assertThat(lines()).hasSize(3);
    }

    @Test
    void aJournalThatIsStuckCostsItsLinesOnly() throws IOException {
        Path socket = directory.resolve("journal");
        try (ServerSocketChannel stuck = listen(socket)) {
            open(false, SystemLog.find(socket, socket));
            for (int i = 0; i < 500; i++) {
                RuntimeLog.current().write(Level.INFO, "x".repeat(4000));
            }
        }
        assertThat(lines()).hasSize(500);
    }

    @Test
    void aFileThatCannotBeOpenedIsAnError() {
        assertThatThrownBy(
                        () -> RuntimeLog.open(Optional.of(directory.resolve("no/log")), false, "x", Optional.empty()))
                .isInstanceOf(IOException.class);
        RuntimeLog.current().write(Level.ERROR, "goes nowhere");
    }

    private static ServerSocketChannel listen(Path socket) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        return server.bind(UnixDomainSocketAddress.of(socket));
    }

    private static BufferedReader reader(SocketChannel connection) {
        return new BufferedReader(Channels.newReader(connection, UTF_8));
    }
}
