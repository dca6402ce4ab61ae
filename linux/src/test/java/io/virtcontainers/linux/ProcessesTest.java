// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessesTest {
    private static final int SIGTERM = 15;
    private static final int SIGKILL = 9;

    @TempDir
    Path directory;

    private final Processes processes = new Processes("processes-test");
    private final ByteArrayOutputStream output = new ByteArrayOutputStream();

    @AfterEach
    void close() {
        processes.close();
    }

    private LinuxProcess start(String... arguments) {
        return start(false, arguments);
    }

    private LinuxProcess start(boolean detached, String... arguments) {
        Command command = new Command(List.of(arguments), Map.of("NAME", "välue"), directory, detached);
        return processes
                .start(command, (bytes, length) -> output.write(bytes, 0, length))
                .join();
    }

    private LinuxProcess shell(String script) {
        return start("/bin/sh", "-c", script);
    }

    private static int exitCode(LinuxProcess process) throws Exception {
        return process.exit().get(10, TimeUnit.SECONDS).orElseThrow();
    }

    private static boolean isThere(long pid) {
        return Files.exists(Path.of("/proc/" + pid));
    }

    private static String status(long pid, String field) throws IOException {
        return Files.readString(Path.of("/proc/" + pid + "/status"))
                .lines()
                .filter(line -> line.startsWith(field + ":"))
                .map(line -> line.substring(field.length() + 1).strip())
                .findFirst()
                .orElseThrow();
    }

    @Test
    void givesTheExitCodeAndTheWholeOutput() throws Exception {
        LinuxProcess process = shell("echo out; echo err >&2; exit 7");
        assertThat(exitCode(process)).isEqualTo(7);
        assertThat(output.toString(StandardCharsets.UTF_8)).isEqualTo("out\nerr\n");
        assertThat(isThere(process.pid())).isFalse();
        assertThat(process.signal(SIGTERM)).isFalse();
    }

    @Test
    void passesArgumentsEnvironmentAndDirectoryAndNothingElse() throws Exception {
        LinuxProcess process =
                start("/bin/sh", "-c", "echo \"$1|$2\"; pwd; env | grep -v PWD; ls /proc/self/fd", "x", "a b", "ü");
        assertThat(exitCode(process)).isZero();
        // 3 is the directory that ls reads.
        assertThat(output.toString(StandardCharsets.UTF_8))
                .isEqualTo("a b|ü\n" + directory.toRealPath() + "\nNAME=välue\n0\n1\n2\n3\n");
    }

    @Test
    void aDeathBySignalIs128AndItsNumber() throws Exception {
        LinuxProcess process = start("/bin/sleep", "1000");
        assertThat(process.signal(SIGKILL)).isTrue();
        assertThat(exitCode(process)).isEqualTo(128 + SIGKILL);
    }

    @Test
    void whatCannotBeStartedIsNamedWithTheReason() {
        assertThatThrownBy(() -> start("/no/such/program"))
                .isInstanceOf(CompletionException.class)
                .hasCauseInstanceOf(LinuxException.class)
                .hasMessageContaining("/no/such/program")
                .hasMessageContaining("No such file or directory");
        assertThatThrownBy(() -> start("/bin/echo", "a\0b")).hasMessageContaining("NUL");
    }

    @Test
    void signalsAreNeitherBlockedNorIgnored() throws Exception {
        LinuxProcess process = start("/bin/sleep", "1000");
        assertThat(status(process.pid(), "SigBlk")).containsOnlyOnce("0000000000000000");
        assertThat(status(process.pid(), "SigIgn")).containsOnlyOnce("0000000000000000");
        process.signal(SIGKILL);
    }

    @Test
    void aDetachedProgramHasItsOwnSessionAndIsLeftAlone() throws Exception {
        LinuxProcess detached = start(true, "/bin/sleep", "1000");
        LinuxProcess bound = start("/bin/sleep", "1000");
        assertThat(status(detached.pid(), "NSsid")).isEqualTo(Long.toString(detached.pid()));
        assertThat(status(bound.pid(), "NSsid"))
                .isEqualTo(status(ProcessHandle.current().pid(), "NSsid"));

        processes.close();
        assertThat(isThere(bound.pid())).isFalse();
        assertThat(bound.exit()).isCompletedWithValue(OptionalInt.of(128 + SIGKILL));
        assertThat(detached.exit()).isNotDone();
        assertThat(detached.signal(SIGTERM)).isFalse();
        assertThatThrownBy(() -> start("/bin/true")).isInstanceOf(LinuxException.class);

        // Another user can still watch and end it, and then no zombie is left.
        try (Processes others = new Processes("processes-test-2")) {
            LinuxProcess watched = others.watch(detached.pid()).orElseThrow();
            assertThat(watched.signal(SIGTERM)).isTrue();
            assertThat(watched.exit()).succeedsWithin(5, TimeUnit.SECONDS).isEqualTo(OptionalInt.empty());
            await().atMost(Duration.ofSeconds(5)).until(() -> !isThere(detached.pid()));
        }
    }

    @Test
    void watchesAProcessThatTheJdkStarted() throws Exception {
        Process foreign = new ProcessBuilder("sleep", "1000").start();
        LinuxProcess watched = processes.watch(foreign.pid()).orElseThrow();
        assertThat(watched.exit()).isNotDone();
        assertThat(watched.signal(SIGTERM)).isTrue();
        assertThat(watched.exit()).succeedsWithin(1, TimeUnit.SECONDS).isEqualTo(OptionalInt.empty());
        // Its exit code is the JDK's.
        assertThat(foreign.waitFor()).isEqualTo(128 + SIGTERM);
        assertThat(processes.watch(foreign.pid())).isEmpty();
    }

    @Test
    void closingAProcessLeavesItRunningAndItsFutureOpen() throws Exception {
        LinuxProcess process = start(true, "/bin/sh", "-c", "trap '' PIPE; while sleep 0.05; do echo x; done");
        process.close();
        assertThat(process.signal(0)).isFalse();
        try (LinuxProcess again = processes.watch(process.pid()).orElseThrow()) {
            assertThat(again.signal(0)).isTrue();
            assertThat(again.signal(SIGKILL)).isTrue();
            assertThat(again.exit()).succeedsWithin(5, TimeUnit.SECONDS);
        }
        assertThat(process.exit()).isNotDone();
        process.close();
    }

    @Test
    void aFloodIsSlowedDownAndDoesNotDelayOthers() throws Exception {
        LinuxProcess noisy = start("/usr/bin/yes");
        assertThat(exitCode(shell("exit 3"))).isEqualTo(3);
        noisy.signal(SIGKILL);
        assertThat(exitCode(noisy)).isEqualTo(128 + SIGKILL);
    }

    @Test
    void aListenerThatFailsHarmsNobody() throws Exception {
        Command command = new Command(List.of("/bin/echo", "x"), Map.of(), directory, false);
        LinuxProcess process = processes
                .start(command, (bytes, length) -> {
                    throw new IllegalStateException("from the test");
                })
                .join();
        assertThat(exitCode(process)).isZero();
        assertThat(exitCode(shell("exit 0"))).isZero();
    }

    @Test
    void manyRoundsLeaveNoDescriptorAndManyIdleChildrenNeedNoThread() throws Exception {
        assertThat(exitCode(shell("exit 0"))).isZero();
        long descriptors = openDescriptors();
        int threads = Thread.getAllStackTraces().size();
        for (int i = 0; i < 200; i++) {
            LinuxProcess process = start("/bin/true");
            if (i % 2 == 0) {
                assertThat(exitCode(process)).isZero();
            } else {
                process.close();
            }
        }
        assertThat(openDescriptors()).isEqualTo(descriptors);
        List<LinuxProcess> idle = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            idle.add(start("/bin/sleep", "1000"));
        }
        assertThat(Thread.getAllStackTraces().size()).isLessThanOrEqualTo(threads);
        processes.close();
        assertThat(idle).noneMatch(process -> isThere(process.pid()));
        assertThat(openDescriptors()).isLessThan(descriptors);
        assertThat(Thread.getAllStackTraces().keySet())
                .noneMatch(t -> t.getName().equals("processes-test"));
    }

    @Test
    void killingTheJavaProcessSignalsAChildThatAskedForIt() throws Exception {
        Process owner = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        StartAndWait.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            long pid = Long.parseLong(owner.inputReader().readLine());
            try (LinuxProcess child = processes.watch(pid).orElseThrow()) {
                owner.destroyForcibly();
                assertThat(child.exit()).succeedsWithin(2, TimeUnit.SECONDS);
            }
        } finally {
            owner.destroyForcibly().waitFor();
        }
    }

    @Test
    void exitCodesAreKnownAlsoWhereSigchldIsIgnored() throws Exception {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process ignoring = new ProcessBuilder(
                        "/bin/sh",
                        "-c",
                        "trap '' CHLD; exec \"$@\"",
                        "sh",
                        java,
                        "-cp",
                        System.getProperty("java.class.path"),
                        PrintExitCode.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        assertThat(new String(ignoring.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .isEqualTo("7\n");
    }

    private static long openDescriptors() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.count();
        }
    }
}
