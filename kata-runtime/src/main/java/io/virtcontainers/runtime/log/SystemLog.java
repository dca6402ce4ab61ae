// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.File;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The log of the host: journald's stream (sd_journal_stream_fd(3)), else syslog's socket, by logger(1), as Java has no
 * datagrams there. A host that has neither, or whose log does not take a line at once, has no system log: nobody is told,
 * as nothing depends on it, and the file of {@code --log} has every line. Thread-safe.
 */
final class SystemLog {
    static final String PROGRAM = "kata-runtime";

    private static final Path JOURNAL = Path.of("/run/systemd/journal/stdout");
    private static final Path SYSLOG = Path.of("/dev/log");
    private static final long PATIENCE_MILLIS = 500;
    private static final int MAX_LINE = 8 << 10;

    private final Path socket;
    private final boolean journal;
    private @Nullable SocketChannel stream;
    private boolean unusable;

    private SystemLog(Path socket, boolean journal) {
        this.socket = socket;
        this.journal = journal;
    }

    /** Empty if the host has none. */
    static Optional<SystemLog> find() {
        return find(JOURNAL, SYSLOG);
    }

    static Optional<SystemLog> find(Path journal, Path syslog) {
        if (Files.exists(journal)) {
            return Optional.of(new SystemLog(journal, true));
        }
        return Files.exists(syslog) ? Optional.of(new SystemLog(syslog, false)) : Optional.empty();
    }

    synchronized void send(LogEntry entry) {
        if (unusable) {
            return;
        }
        String line = entry.text();
        String bounded = line.length() <= MAX_LINE ? line : line.substring(0, MAX_LINE);
        try {
            if (journal) {
                toJournal(entry.level(), bounded);
            } else {
                toSyslog(entry.level(), bounded);
            }
        } catch (IOException e) {
            unusable = true;
            close();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void toJournal(Level level, String line) throws IOException {
        if (stream == null) {
            stream = SocketChannel.open(StandardProtocolFamily.UNIX);
            boolean unused = stream.connect(UnixDomainSocketAddress.of(socket));
            // Never waits: a journal that is stuck must not make containers so.
            stream.configureBlocking(false);
            // Its identifier, unit and default level; then whether lines begin with their level; then three that
            // forward.
            write(stream, PROGRAM + "\n\n" + Level.INFO.priority() + "\n1\n0\n0\n0\n");
        }
        write(stream, "<" + level.priority() + ">" + line + "\n");
    }

    private static void write(SocketChannel stream, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(UTF_8));
        int sent = stream.write(bytes);
        if (bytes.hasRemaining()) {
            throw new IOException("the journal takes no more than " + sent + " bytes");
        }
    }

    private void toSyslog(Level level, String line) throws IOException, InterruptedException {
        File nothing = new File("/dev/null");
        Process logger = new ProcessBuilder(
                        "logger",
                        "--socket",
                        socket.toString(),
                        "--tag",
                        PROGRAM,
                        "--id=" + ProcessHandle.current().pid(),
                        "--priority",
                        "user." + syslogWord(level),
                        "--size",
                        Integer.toString(2 * MAX_LINE),
                        "--",
                        line)
                .redirectInput(nothing)
                .redirectOutput(nothing)
                .redirectError(nothing)
                .start();
        boolean ended = logger.waitFor(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        logger.destroyForcibly();
        if (!ended || logger.exitValue() != 0) {
            throw new IOException("logger did not take the line");
        }
    }

    private static String syslogWord(Level level) {
        return level == Level.ERROR ? "err" : level.name().toLowerCase(Locale.ROOT);
    }

    synchronized void close() {
        if (stream != null) {
            try {
                stream.close();
            } catch (IOException e) {
                unusable = true;
            }
            stream = null;
        }
    }
}
