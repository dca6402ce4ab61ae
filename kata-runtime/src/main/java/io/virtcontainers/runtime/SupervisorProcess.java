// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.VirtException;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Starts a {@link Supervisor} in a session of its own, with this process's streams or a terminal as its. */
final class SupervisorProcess {
    /** Its own deadlines, of booting and packing, are shorter. */
    private static final Duration LONGEST = Duration.ofMinutes(20);

    /** Of its archive of classes, see bin/kata-runtime; empty if there is none. */
    private static final String ARCHIVE = System.getProperty("kata.runtime.archive", "");

    private final Process process;

    /** Open until this process ends, see {@link Report}. */
    private final SocketChannel connection;

    private SupervisorProcess(Process process, SocketChannel connection) {
        this.process = process;
        this.connection = connection;
    }

    /**
     * Returns when it is ready.
     *
     * @param kind {@code create} or {@code exec}
     * @param words of that command
     * @param terminal the device that becomes its controlling terminal, if it gets one
     * @throws VirtException with its words, if it failed
     */
    static SupervisorProcess start(GlobalOptions options, String kind, List<String> words, Optional<Path> terminal)
            throws IOException {
        Files.createDirectories(
                options.root(), PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Path socket =
                options.root().resolve(kind + '-' + ProcessHandle.current().pid());
        Files.deleteIfExists(socket); // of an earlier process with this pid
        try (ServerSocketChannel server = Report.listen(socket)) {
            Process process = launch(options, kind, words, terminal, socket);
            var unused = process.onExit().thenRun(() -> close(server));
            var late = CompletableFuture.runAsync(
                    () -> close(server), CompletableFuture.delayedExecutor(LONGEST.toSeconds(), TimeUnit.SECONDS));
            try {
                return new SupervisorProcess(process, awaitReady(server, process));
            } catch (VirtException | IOException e) {
                boolean unusedEnd = process.waitFor(5, TimeUnit.SECONDS);
                process.destroyForcibly();
                throw e;
            } finally {
                boolean unusedCancel = late.cancel(false);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new VirtException("interrupted", e);
        } finally {
            Files.deleteIfExists(socket);
        }
    }

    private static SocketChannel awaitReady(ServerSocketChannel server, Process process) throws IOException {
        try {
            SocketChannel connection = server.accept();
            Report.await(connection);
            return connection;
        } catch (AsynchronousCloseException e) {
            throw new VirtException(
                    process.isAlive()
                            ? "the supervisor, pid " + process.pid() + ", did not answer within " + LONGEST
                            : "the supervisor ended with code " + process.exitValue() + " before it had begun",
                    e);
        }
    }

    long pid() {
        return process.pid();
    }

    /** Waits for its end and returns the exit code. */
    int await() throws IOException {
        connection.close();
        try {
            return process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new VirtException("interrupted", e);
        }
    }

    private static void close(ServerSocketChannel server) {
        try {
            server.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Process launch(
            GlobalOptions options, String kind, List<String> words, Optional<Path> terminal, Path socket)
            throws IOException {
        List<String> line = new ArrayList<>(List.of("setsid"));
        if (terminal.isPresent()) {
            line.add("--ctty");
        }
        line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        line.addAll(List.of(
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:-UsePerfData",
                "-XX:ReservedCodeCacheSize=24m",
                "-Xms4m",
                "-Xmx64m",
                "-Xmn2m",
                "-XX:MinHeapFreeRatio=10",
                "-XX:MaxHeapFreeRatio=20",
                "-Xss512k",
                // The archive where it was made for: its pages need no change, and are shared by all supervisors.
                "-XX:+UnlockDiagnosticVMOptions",
                "-XX:+IgnoreUnrecognizedVMOptions",
                "-XX:ArchiveRelocationMode=0",
                // One slow connection needs no pool of buffers.
                "-Dio.netty.allocator.type=unpooled",
                "-Dio.netty.allocator.maxOrder=4",
                "-Xlog:disable",
                "-Xlog:all=error:stderr"));
        if (!ARCHIVE.isEmpty()) {
            line.add("-XX:SharedArchiveFile=" + ARCHIVE);
        }
        for (String property : List.of("slf4j.provider", "slf4j.internal.verbosity", "logback.configurationFile")) {
            @Nullable String value = System.getProperty(property);
            if (value != null) {
                line.add("-D" + property + '=' + value);
            }
        }
        line.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        line.addAll(options.words());
        line.addAll(List.of(Commands.SUPERVISE, socket.toString(), kind));
        line.addAll(words);
        ProcessBuilder builder = new ProcessBuilder(line).directory(new File("/"));
        if (terminal.isPresent()) {
            File device = terminal.get().toFile();
            builder.redirectInput(device).redirectOutput(device).redirectError(device);
        } else {
            builder.inheritIO();
        }
        return builder.start();
    }
}
