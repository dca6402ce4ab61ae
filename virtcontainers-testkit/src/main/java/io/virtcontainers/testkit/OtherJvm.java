// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Another Java process that runs a program of a test with the test's class path, talked to line by line; killed at the
 * latest by {@link #close}. For one thread at a time.
 */
public final class OtherJvm implements AutoCloseable {
    private final Process process;
    private final BufferedReader out;
    private final BufferedWriter in;

    /** Starts {@code program}'s main method, after the words of {@code prefix}, which may be empty. */
    public OtherJvm(List<String> prefix, Class<?> program, String... arguments) throws IOException {
        List<String> line = new ArrayList<>(prefix);
        line.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Dlogback.configurationFile=" + System.getProperty("logback.configurationFile", ""),
                "-cp",
                System.getProperty("java.class.path"),
                program.getName()));
        line.addAll(List.of(arguments));
        process = new ProcessBuilder(line)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        out = process.inputReader(UTF_8);
        in = process.outputWriter(UTF_8);
    }

    public OtherJvm(Class<?> program, String... arguments) throws IOException {
        this(List.of(), program, arguments);
    }

    /** The next line of its standard output; {@code null} as text at the end. */
    public String readLine() throws IOException {
        return String.valueOf(out.readLine());
    }

    public void expect(String wanted) throws IOException {
        assertThat(readLine()).isEqualTo(wanted);
    }

    public void send(String text) throws IOException {
        in.write(text + "\n");
        in.flush();
    }

    public long pid() {
        return process.pid();
    }

    /** By SIGKILL; returns when it is dead. */
    public void kill() throws InterruptedException {
        process.destroyForcibly();
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
    }

    /** Its exit code; waits at most two minutes. */
    public int waitFor() throws InterruptedException {
        assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
        return process.exitValue();
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
