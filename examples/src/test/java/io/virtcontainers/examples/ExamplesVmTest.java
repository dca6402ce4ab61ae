// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.testkit.BusyboxRootFs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples as a user runs them: as programs, with their streams and exit codes. */
@Tag("vm")
class ExamplesVmTest {
    @TempDir
    static Path directory;

    private static Path busybox;

    @BeforeAll
    static void rootfs() {
        busybox = BusyboxRootFs.create(directory.resolve("busybox"));
    }

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Result(int code, byte[] stdout, String stderr) {
        String out() {
            return new String(stdout, UTF_8);
        }
    }

    /** Runs an example with its input from a file; its output goes to files too, so that no pipe is in the way. */
    private static Result run(Path stdin, String example, String... arguments)
            throws IOException, InterruptedException {
        Path out = Files.createTempFile(directory, "out", "");
        Path err = Files.createTempFile(directory, "err", "");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path"),
                "io.virtcontainers.examples." + example));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectInput(stdin.toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        try {
            assertThat(process.waitFor(5, TimeUnit.MINUTES))
                    .as("ended: %s", command)
                    .isTrue();
            return new Result(process.exitValue(), Files.readAllBytes(out), Files.readString(err));
        } finally {
            process.destroyForcibly();
        }
    }

    private static Result vrun(Path stdin, Path rootfs, String... command) throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>(List.of("--rootfs", rootfs.toString(), "--"));
        arguments.addAll(List.of(command));
        return run(stdin, "Vrun", arguments.toArray(String[]::new));
    }

    private static final Path NOTHING = Path.of("/dev/null");

    @Test
    void helloShowsBothKernelsTheOutputTheExitCodeAndTheTimeline() throws Exception {
        Result result = run(NOTHING, "Hello", busybox.toString());
        assertThat(result.code()).as(result.stderr()).isZero();
        assertThat(result.out())
                .contains("host kernel:   " + System.getProperty("os.version"))
                .contains("hello from a container")
                .contains("exit code:     42")
                .contains("agent.connect");
        String guest = result.out()
                .lines()
                .filter(line -> line.startsWith("guest kernel:"))
                .findFirst()
                .orElseThrow();
        assertThat(guest).doesNotContain(System.getProperty("os.version"));
    }

    @Test
    void theExampleOfTheReadmeRuns() throws IOException {
        assertThat(FiveLines.run(busybox).isSuccess()).isTrue();
    }

    @Test
    void aDetachedSandboxIsFoundByOtherProcesses() throws Exception {
        String id = "example-" + ProcessHandle.current().pid();
        try {
            Result run =
                    run(NOTHING, "Detached", "run", id, busybox.toString(), "sh", "-c", "echo from before; exit 5");
            assertThat(run.code()).isZero();
            assertThat(run(NOTHING, "Detached", "list").out()).contains(id + " running detached");
            Result waited = run(NOTHING, "Detached", "wait", id);
            assertThat(waited.out()).isEqualTo("from before\n");
            assertThat(waited.code()).isEqualTo(5);
        } finally {
            assertThat(run(NOTHING, "Detached", "delete", id).code()).isZero();
        }
        assertThat(run(NOTHING, "Detached", "list").out()).doesNotContain(id);
    }

    @Test
    void theContainersOfAPodTalkOverLocalhost() throws Exception {
        Result result = run(NOTHING, "Pod", busybox.toString());
        assertThat(result.out()).isEqualTo("hello from the other container\nclient exit code: 0\n");
    }

    @Test
    void vrunSortsInABusyboxAndInADebian() throws Exception {
        Path numbers = directory.resolve("numbers");
        StringBuilder text = new StringBuilder();
        for (int i = 1; i <= 200_000; i++) {
            text.append(i).append('\n');
        }
        Files.writeString(numbers, text);
        for (Path rootfs : List.of(busybox, debian())) {
            Result result = vrun(numbers, rootfs, "sort", "-rn");
            assertThat(result.code()).as(result.stderr()).isZero();
            assertThat(result.out())
                    .startsWith("200000\n199999\n")
                    .endsWith("\n2\n1\n")
                    .hasSize(text.length());
        }
    }

    private static Path debian() {
        String cache = System.getenv("VIRTCONTAINERS_CACHE");
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path base = cache != null
                ? Path.of(cache)
                : (xdg != null ? Path.of(xdg) : Path.of(System.getProperty("user.home"), ".cache"))
                        .resolve("virtcontainers");
        Path debian = base.resolve("test/debian");
        assertThat(debian.resolve("usr/bin/sort"))
                .as("made by `make test`, or scripts/debian-rootfs")
                .exists();
        return debian;
    }

    @Test
    void vrunPassesOnAHundredMegabytesUnchanged() throws Exception {
        Path input = directory.resolve("random");
        byte[] bytes = new byte[100_000_000];
        new Random(7).nextBytes(bytes);
        Files.write(input, bytes);
        Result result = vrun(input, busybox, "cat");
        assertThat(result.code()).as(result.stderr()).isZero();
        assertThat(sha256(result.stdout())).isEqualTo(sha256(bytes));
    }

    private static String sha256(byte[] bytes) throws Exception {
        return HexFormat.of()
                .formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    @Test
    void vrunPassesOnTheExitCodeAndKeepsStderrSeparate() throws Exception {
        Result result = vrun(NOTHING, busybox, "sh", "-c", "echo out; echo err >&2; exit 7");
        assertThat(result.code()).isEqualTo(7);
        assertThat(result.out()).isEqualTo("out\n");
        assertThat(result.stderr()).isEqualTo("err\n");
        assertThat(vrun(NOTHING, busybox, "sh", "-c", "kill -9 $$; sleep 1; exit 0")
                        .code())
                .isEqualTo(0); // pid 1 of a pid namespace is immune to its own signals (pid_namespaces(7))
        assertThat(vrun(NOTHING, busybox, "sh", "-c", "sh -c 'kill -TERM $$'; exit $?")
                        .code())
                .isEqualTo(143);
    }

    @Test
    void vrunPassesArgumentsOnToTheLetter() throws Exception {
        Path file = Files.writeString(directory.resolve("secret"), "a secret of the host");
        Result result = vrun(NOTHING, busybox, "echo", "@" + file, "@@x", "--", "--memory", "$HOME", "a  b");
        assertThat(result.out()).isEqualTo("@" + file + " @@x -- --memory $HOME a  b\n");
    }

    @Test
    void vrunNamesWhatIsWrong() throws Exception {
        Result missing = vrun(NOTHING, busybox, "no-such-program");
        assertThat(missing.code()).isEqualTo(127);
        assertThat(missing.stderr()).contains("no-such-program");
        Result noRootfs = vrun(NOTHING, Path.of("/nonexistent"), "true");
        assertThat(noRootfs.code()).isEqualTo(125);
        assertThat(noRootfs.stderr()).contains("/nonexistent");
        Result noMemory = run(NOTHING, "Vrun", "--memory", "0", "--rootfs", busybox.toString(), "--", "true");
        assertThat(noMemory.code()).isEqualTo(125);
        assertThat(noMemory.stderr()).contains("memory 0 MiB").contains("64 MiB or more");
        Result wrongOption = run(NOTHING, "Vrun", "--nonsense", "--rootfs", busybox.toString(), "--", "true");
        assertThat(wrongOption.code()).isEqualTo(2);
        assertThat(wrongOption.stderr()).contains("--nonsense").contains("Usage: vrun");
    }
}
