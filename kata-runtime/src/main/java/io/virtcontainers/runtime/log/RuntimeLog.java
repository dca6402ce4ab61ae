// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Where this process logs: the file of {@code --log}, and the system's log from {@link Level#INFO} on. One for the process,
 * as slf4j's loggers are. Each line has Kata's fields. Thread-safe.
 */
public final class RuntimeLog {
    private static final int MAX_MESSAGE = 64 << 10;
    private static final RuntimeLog NONE = new RuntimeLog(null, false, Optional.empty(), Map.of());

    private static volatile RuntimeLog current = NONE;

    private final @Nullable FileChannel file;
    private final boolean json;
    private final Optional<SystemLog> system;
    private final Map<String, String> fields;
    private volatile Level level = Level.INFO;

    private RuntimeLog(
            @Nullable FileChannel file, boolean json, Optional<SystemLog> system, Map<String, String> fields) {
        this.file = file;
        this.json = json;
        this.system = system;
        this.fields = new TreeMap<>(fields);
    }

    /**
     * Opens this process's log.
     *
     * @param file where lines are appended
     * @param json in which form
     * @param command of this process
     * @throws IOException if the file cannot be opened
     */
    public static void open(Optional<Path> file, boolean json, String command) throws IOException {
        open(file, json, command, SystemLog.find());
    }

    static void open(Optional<Path> file, boolean json, String command, Optional<SystemLog> system) throws IOException {
        @Nullable FileChannel channel = file.isPresent() ? append(file.get()) : null;
        current = new RuntimeLog(
                channel,
                json,
                system,
                Map.of(
                        "name",
                        SystemLog.PROGRAM,
                        "arch",
                        System.getProperty("os.arch", ""),
                        "pid",
                        Long.toString(ProcessHandle.current().pid()),
                        "command",
                        command));
    }

    private static FileChannel append(Path file) throws IOException {
        return FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-r-----")));
    }

    /** That of this process; one that takes nothing before {@link #open}. */
    public static RuntimeLog current() {
        return current;
    }

    /** Ends this process's log. */
    public static void close() throws IOException {
        RuntimeLog ended = current;
        current = NONE;
        ended.system.ifPresent(SystemLog::close);
        if (ended.file != null) {
            ended.file.close();
        }
    }

    /** What is less grave is not logged. */
    public void level(Level lowest) {
        level = lowest;
    }

    boolean takes(Level asked) {
        return asked.compareTo(level) <= 0 && (file != null || system.isPresent());
    }

    /** What follows is about this container. */
    public void about(String container, String sandbox) {
        synchronized (fields) {
            fields.put("container", container);
            fields.put("sandbox", sandbox);
        }
    }

    /** Logs with {@code source=runtime}. */
    public void write(Level asked, String message) {
        write(asked, message, Map.of("source", "runtime"));
    }

    /** Logs with these fields too, which go before the general ones. */
    void write(Level asked, String message, Map<String, String> more) {
        if (!takes(asked)) {
            return;
        }
        Map<String, String> all;
        synchronized (fields) {
            all = new TreeMap<>(fields);
        }
        all.putAll(more);
        String bounded = message.length() <= MAX_MESSAGE ? message : message.substring(0, MAX_MESSAGE) + "...";
        LogEntry entry = new LogEntry(Instant.now(), asked, bounded, all);
        if (file != null) {
            append(file, (json ? entry.json() : entry.text()) + "\n");
        }
        if (asked != Level.DEBUG) {
            system.ifPresent(log -> log.send(entry));
        }
    }

    /** In one write, so that lines of several processes do not mix. */
    private static void append(FileChannel file, String line) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(UTF_8));
            while (bytes.hasRemaining()) {
                int unused = file.write(bytes);
            }
        } catch (IOException e) {
            // A full disk must not end what is logged about; the system's log has it too.
            return;
        }
    }
}
