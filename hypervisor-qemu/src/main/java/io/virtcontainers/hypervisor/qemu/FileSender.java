// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.linux.LinuxException;
import io.virtcontainers.linux.UnixConnection;
import io.virtcontainers.spi.Deadline;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/**
 * Passes open files to a QEMU that could not open them itself, over a monitor of its own. By {@link #send} (QMP {@code add-fd})
 * QEMU keeps it until this is closed and no disk uses it any more.
 */
final class FileSender implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final Duration ANSWER = Duration.ofSeconds(5);
    private static final int MAX_LINE_BYTES = 64 << 10;
    private static final int READ_BYTES = 4096;

    private final UnixConnection connection;
    private final ByteArrayOutputStream received = new ByteArrayOutputStream();

    private FileSender(UnixConnection connection) {
        this.connection = connection;
    }

    static FileSender connect(Path socket, Deadline deadline) {
        try {
            FileSender sender = new FileSender(
                    UnixConnection.connect(socket, deadline.atMost(ANSWER).remaining()));
            try {
                JsonNode unusedGreeting = sender.readLine();
                sender.connection.send("{\"execute\": \"qmp_capabilities\"}\n".getBytes(StandardCharsets.UTF_8));
                JsonNode unused = sender.answer("qmp_capabilities");
                return sender;
            } catch (RuntimeException e) {
                sender.close();
                throw e;
            }
        } catch (LinuxException e) {
            throw failed(e);
        }
    }

    /** @return the path by which QEMU opens it */
    Path send(Path file, boolean readOnly) {
        try {
            connection.send("{\"execute\": \"add-fd\"}\n".getBytes(StandardCharsets.UTF_8), file, readOnly);
            return Path.of("/dev/fdset", answer("add-fd").path("fdset-id").asText());
        } catch (LinuxException e) {
            throw failed(e);
        }
    }

    /**
     * Runs a command that takes files by name (QMP {@code getfd}), opened for reading and writing.
     *
     * @throws QmpException if QEMU refuses it; it has closed the files then
     */
    void execute(String command, Map<String, ?> arguments, Map<String, Path> files) {
        try {
            for (Map.Entry<String, Path> file : files.entrySet()) {
                connection.send(line("getfd", Map.of("fdname", file.getKey())), file.getValue(), /* readOnly= */ false);
                JsonNode unused = answer("getfd");
            }
            connection.send(line(command, arguments));
            JsonNode unused = answer(command);
        } catch (QmpException e) {
            files.keySet().forEach(this::closeFile);
            throw e;
        } catch (LinuxException e) {
            throw failed(e);
        }
    }

    private void closeFile(String name) {
        try {
            connection.send(line("closefd", Map.of("fdname", name)));
            JsonNode unused = answer("closefd");
        } catch (QmpException notThere) {
            // The command took it, or it was never sent.
        }
    }

    private static byte[] line(String command, Map<String, ?> arguments) {
        try {
            String json = JSON.writeValueAsString(Map.of("execute", command, "arguments", arguments));
            return (json + "\n").getBytes(StandardCharsets.UTF_8);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a map of texts is always JSON", e);
        }
    }

    private static HypervisorException failed(LinuxException e) {
        return new HypervisorException("cannot pass a file to QEMU: " + e.getMessage(), e);
    }

    private JsonNode answer(String command) {
        while (true) {
            JsonNode message = readLine();
            if (message.has("return")) {
                return message.path("return");
            } else if (message.has("error")) {
                throw new QmpException(
                        command,
                        message.path("error").path("class").asText(),
                        message.path("error").path("desc").asText());
            }
        }
    }

    private JsonNode readLine() {
        while (true) {
            String text = received.toString(StandardCharsets.UTF_8);
            int end = text.indexOf('\n');
            if (end >= 0) {
                received.reset();
                received.writeBytes(text.substring(end + 1).getBytes(StandardCharsets.UTF_8));
                try {
                    return JSON.readTree(text.substring(0, end));
                } catch (JsonProcessingException e) {
                    throw new HypervisorException("QEMU said no JSON: " + e.getOriginalMessage(), e);
                }
            }
            byte[] bytes = connection.receive(READ_BYTES);
            if (bytes.length == 0 || received.size() > MAX_LINE_BYTES) {
                throw new HypervisorException("QEMU closed the connection for files, or talks without an end");
            }
            received.writeBytes(bytes);
        }
    }

    @Override
    public void close() {
        connection.close();
    }
}
