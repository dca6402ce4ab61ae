// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.testkit.BusyboxRootFs;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Runs the program as engines do, each command a process, on one root, and looks for what is left. */
final class Cli implements AutoCloseable {
    static final ObjectMapper JSON = new ObjectMapper();
    private static final int SECONDS = 120;

    final Path directory;
    final Path root;
    final Path rootfs;

    /** What a command printed and how it ended. */
    record Result(int code, String out, String err) {
        Result succeeds() {
            assertThat(code).as("%s%s", out, err).isZero();
            return this;
        }

        Result fails(String message) {
            assertThat(code).as("%s%s", out, err).isEqualTo(1);
            assertThat(err).contains(message);
            return this;
        }

        JsonNode json() throws IOException {
            return JSON.readTree(out);
        }
    }

    Cli(Path directory) throws IOException {
        this.directory = directory;
        root = directory.resolve("root");
        rootfs = BusyboxRootFs.create(directory.resolve("rootfs"));
    }

    /** A bundle whose process is a shell with this script. */
    Path bundle(String name, String script, Consumer<ObjectNode> changes) throws IOException {
        Path bundle = Files.createDirectories(directory.resolve(name));
        ObjectNode json = (ObjectNode) JSON.readTree(Cli.class.getResourceAsStream("config.json"));
        ((ObjectNode) json.get("process")).put("terminal", false);
        ArrayNode args = ((ObjectNode) json.get("process")).putArray("args");
        List.of("sh", "-c", script).forEach(args::add);
        ((ObjectNode) json.get("root")).put("path", rootfs.toString()).put("readonly", false);
        changes.accept(json);
        Files.writeString(bundle.resolve("config.json"), json.toString());
        return bundle;
    }

    Path bundle(String script) throws IOException {
        return bundle("bundle", script, json -> {});
    }

    List<String> line(String... words) {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Dslf4j.provider=io.virtcontainers.runtime.log.KataLoggerProvider",
                "-Dslf4j.internal.verbosity=ERROR",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName(),
                "--root",
                root.toString()));
        line.addAll(List.of(words));
        return line;
    }

    /** With these files as its standard streams, which a supervisor inherits. */
    Process start(File in, File out, File err, String... words) throws IOException {
        return new ProcessBuilder(line(words))
                .redirectInput(in)
                .redirectOutput(out)
                .redirectError(err)
                .start();
    }

    Result run(String... words) throws IOException, InterruptedException {
        return runWith("", words);
    }

    Result runWith(String stdin, String... words) throws IOException, InterruptedException {
        Path in = Files.writeString(Files.createTempFile(directory, "in", ""), stdin);
        return run(in.toFile(), words);
    }

    Result run(File stdin, String... words) throws IOException, InterruptedException {
        Path out = Files.createTempFile(directory, "out", "");
        Path err = Files.createTempFile(directory, "err", "");
        Process process = start(stdin, out.toFile(), err.toFile(), words);
        assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS)).isTrue();
        return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    /** Creates a container whose output goes to a file. */
    Path create(String id, Path bundle, String... options) throws IOException, InterruptedException {
        Path out = Files.createTempFile(directory, id, ".out");
        List<String> words = new ArrayList<>(List.of("create", "--bundle", bundle.toString()));
        words.addAll(List.of(options));
        words.add(id);
        Process process = start(new File("/dev/null"), out.toFile(), out.toFile(), words.toArray(String[]::new));
        assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(Files.readString(out)).isZero();
        return out;
    }

    JsonNode state(String id) throws IOException, InterruptedException {
        return run("state", id).succeeds().json();
    }

    String status(String id) throws IOException, InterruptedException {
        return state(id).get("status").textValue();
    }

    void awaitStatus(String id, String status) {
        await().atMost(Duration.ofSeconds(30)).until(() -> status(id).equals(status));
    }

    static void awaitText(Path file, String text) {
        await().atMost(Duration.ofSeconds(30))
                .until(() -> Files.readString(file, UTF_8).contains(text));
    }

    /** The processes of the host that belong to this root. */
    List<String> processes() {
        return ProcessHandle.allProcesses()
                .map(process -> commandLine(process.pid()))
                .filter(line -> line.contains(root.toString()))
                .toList();
    }

    /** Whole: Java's own cuts off what is longer than a page, as a class path can be. */
    static String commandLine(long pid) {
        try {
            return Files.readString(Path.of("/proc/" + pid + "/cmdline"), ISO_8859_1);
        } catch (IOException e) {
            return ""; // it has ended
        }
    }

    /** Files of containers and sandboxes, and sockets. */
    List<Path> files() throws IOException {
        try (Stream<Path> all = Files.walk(root)) {
            return all.filter(file -> !Files.isDirectory(file) && !file.endsWith("locks"))
                    .toList();
        }
    }

    void assertNothingLeft() throws IOException {
        await().atMost(Duration.ofSeconds(10)).until(() -> processes().isEmpty());
        assertThat(files()).isEmpty();
    }

    @Override
    public void close() throws IOException, InterruptedException {
        for (String id : run("list", "--quiet").out().lines().toList()) {
            run("delete", "--force", id).succeeds();
        }
    }
}
