// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.SOON;
import static io.virtcontainers.VmFixture.output;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Containers and processes, in one virtual machine that all tests share. */
@Tag("vm")
class ContainerVmTest {
    @TempDir
    static Path directory;

    private static VmFixture fixture;
    private static Sandbox sandbox;
    private static Container shell;
    private static int containers;

    @BeforeAll
    static void boot() throws IOException {
        fixture = new VmFixture(directory);
        Path notExecutable = Files.writeString(fixture.rootfs.resolve("bin/not-executable"), "text");
        Files.setPosixFilePermissions(notExecutable, PosixFilePermissions.fromString("rw-r--r--"));
        sandbox = fixture.sandbox("containers");
        shell = fixture.container(sandbox, "shell", "sleep", "1000000");
        shell.start();
    }

    @AfterAll
    static void end() throws IOException {
        fixture.close();
    }

    private static Container container(String... command) {
        return fixture.container(sandbox, "c" + ++containers, command);
    }

    private static GuestProcess exec(String... command) {
        return shell.exec(ProcessConfig.of(command));
    }

    @Test
    void theGuestHasAKernelOfItsOwn() throws IOException {
        String guest = output(exec("uname", "-r")).strip();
        assertThat(guest).isNotEmpty().isNotEqualTo(System.getProperty("os.version"));
    }

    @Test
    void exitCodesAndSignalsComeBackExactly() {
        assertThat(exec("sh", "-c", "exit 7").waitFor(SOON)).isEqualTo(new ExitStatus(7));
        GuestProcess sleeping = exec("sleep", "1000");
        sleeping.signal(Signal.TERM);
        assertThat(sleeping.waitFor(SOON)).isEqualTo(new ExitStatus(143));
        GuestProcess killed = exec("sleep", "1000");
        killed.signal(Signal.KILL);
        assertThat(killed.waitFor(SOON).signal()).hasValue(9);
        killed.signal(Signal.KILL);
    }

    @Test
    void stdoutAndStderrAreSeparate() throws IOException {
        Container container = container("sh", "-c", "echo out; echo err >&2");
        assertThat(output(container)).isEqualTo("out\n");
        assertThat(new String(container.process().stderr().readAllBytes(), UTF_8))
                .isEqualTo("err\n");
        container.delete();
    }

    @Test
    void twentyMegabytesGoThroughUnchanged() throws Exception {
        Container cat = container("cat");
        cat.start();
        byte[] chunk = new byte[1 << 16];
        MessageDigest sent = MessageDigest.getInstance("SHA-256");
        CompletableFuture<Void> writer = CompletableFuture.runAsync(() -> {
            Random random = new Random(42);
            try (OutputStream stdin = cat.process().stdin()) {
                for (int i = 0; i < 320; i++) {
                    random.nextBytes(chunk);
                    sent.update(chunk);
                    stdin.write(chunk);
                }
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        MessageDigest received = MessageDigest.getInstance("SHA-256");
        long bytes;
        try (InputStream stdout = new DigestInputStream(cat.process().stdout(), received)) {
            bytes = stdout.transferTo(OutputStream.nullOutputStream());
        }
        writer.get(60, TimeUnit.SECONDS);
        assertThat(bytes).isEqualTo(320L << 16);
        assertThat(HexFormat.of().formatHex(received.digest()))
                .isEqualTo(HexFormat.of().formatHex(sent.digest()));
        assertThat(cat.process().waitFor(SOON).isSuccess()).isTrue();
        cat.delete();
    }

    @Test
    void aReaderThatWaitsBlocksNobodyElse() throws Exception {
        GuestProcess silent = exec("sleep", "1000");
        CompletableFuture<Integer> read = CompletableFuture.supplyAsync(() -> {
            try {
                return silent.stdout().read();
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        assertThat(output(exec("echo", "hi"))).isEqualTo("hi\n");
        assertThat(read).isNotDone();
        silent.signal(Signal.KILL);
        assertThat(read.get(60, TimeUnit.SECONDS)).isEqualTo(-1);
    }

    @Test
    void whatIsNotReadStaysUntilItIsAlsoAfterTheEnd() throws IOException {
        GuestProcess process = exec("sh", "-c", "seq 1 1000; echo late >&2");
        process.waitFor(SOON);
        assertThat(output(process).lines()).hasSize(1000).endsWith("1000");
        assertThat(new String(process.stderr().readAllBytes(), UTF_8)).isEqualTo("late\n");
    }

    @Test
    void theProcessIsAsConfigured() throws IOException {
        GuestProcess process = shell.exec(
                ProcessConfig.builder("sh", "-c", "echo $GREETING $(pwd) $(id -u):$(id -g); id -G; echo $PATH")
                        .environment("GREETING", "a=b c")
                        .workingDirectory("/tmp")
                        .user(new User(1000, 1001, List.of(1002L)))
                        .build());
        assertThat(output(process)).isEqualTo("a=b c /tmp 1000:1001\n1001 1002\n" + ProcessConfig.DEFAULT_PATH + "\n");
    }

    @Test
    void aTerminalIsOneAndCanBeResized() throws Exception {
        GuestProcess process = shell.exec(ProcessConfig.builder("sh", "-c", "tty; stty size; read line; stty size")
                .terminal(new TerminalSize(24, 80))
                .build());
        StringBuilder seen = new StringBuilder();
        InputStream stdout = process.stdout();
        while (!seen.toString().contains("24 80")) {
            int c = stdout.read();
            assertThat(c).as("end of output after: %s", seen).isNotNegative();
            seen.append((char) c);
        }
        process.resize(new TerminalSize(50, 132));
        process.stdin().write("\n".getBytes(UTF_8));
        process.stdin().flush();
        seen.append(new String(stdout.readAllBytes(), UTF_8));
        assertThat(seen.toString()).contains("/dev/pts/").contains("50 132");
        assertThat(process.waitFor(SOON).isSuccess()).isTrue();
        assertThatThrownBy(() -> exec("sleep", "1").resize(new TerminalSize(1, 1)))
                .isInstanceOf(AgentException.class);
    }

    @Test
    void aMissingProgramIs127AndOneThatMayNotBeExecutedIs126() {
        assertThatThrownBy(() -> container("no-such-program"))
                .isInstanceOf(CommandNotFoundException.class)
                .hasMessageContaining("no-such-program")
                .satisfies(e ->
                        assertThat(((CommandNotFoundException) e).exitCode()).isEqualTo(127));
        assertThatThrownBy(() -> container("/bin/not-executable"))
                .isInstanceOf(CommandNotFoundException.class)
                .satisfies(e ->
                        assertThat(((CommandNotFoundException) e).exitCode()).isEqualTo(126));
        assertThatThrownBy(() -> exec("no-such-program"))
                .isInstanceOf(CommandNotFoundException.class)
                .satisfies(e ->
                        assertThat(((CommandNotFoundException) e).exitCode()).isEqualTo(127));
        assertThat(sandbox.containers())
                .contains(shell)
                .noneMatch(c -> c.config().process().command().contains("no-such-program"));
    }

    @Test
    void containersSeeTheirOwnProcessesAndShareTheNetworkAndTheHostName() throws IOException {
        assertThat(output(container("sh", "-c", "echo $$; hostname"))).isEqualTo("1\ncontainers\n");
        Container server = container("sh", "-c", "echo hello > /tmp/f && httpd -f -p 8080 -h /tmp");
        server.start();
        Container client =
                container("sh", "-c", "until wget -q -O - http://127.0.0.1:8080/f 2>/dev/null; do sleep 0.1; done");
        assertThat(output(client)).isEqualTo("hello\n");
        server.delete();
    }

    @Test
    void aContainerWritesToAnOverlayThatEndsWithIt() throws IOException {
        Container first = container("sh", "-c", "echo changed > /etc/passwd; rm /bin/vi; cat /etc/passwd; ls /bin/vi");
        assertThat(output(first)).isEqualTo("changed\n");
        first.delete();
        Container second = container("sh", "-c", "cat /etc/passwd; ls /bin/vi");
        assertThat(output(second)).isEqualTo("root:x:0:0:root:/root:/bin/sh\n/bin/vi\n");
        second.delete();
        assertThat(Files.readString(fixture.rootfs.resolve("etc/passwd"))).startsWith("root:");
    }

    @Test
    void aReadOnlyRootCannotBeWritten() throws IOException {
        Container container = sandbox.createContainer(ContainerConfig.builder("read-only")
                .rootfs(RootFs.directory(fixture.rootfs))
                .readOnlyRootfs(true)
                .command("sh", "-c", "touch /file 2>&1; echo $?")
                .build());
        assertThat(output(container)).contains("Read-only file system").endsWith("1\n");
        container.delete();
    }

    @Test
    void killEndsEveryProcessAndDeleteRemovesTheContainer() {
        Container container = container("sleep", "1000");
        container.start();
        GuestProcess further = container.exec(ProcessConfig.of("sleep", "1000"));
        container.kill(Signal.KILL);
        assertThat(container.process().waitFor(SOON).signal()).hasValue(9);
        assertThat(further.waitFor(SOON).signal()).hasValue(9);
        assertThat(container.state()).isEqualTo(State.STOPPED);
        container.delete();
        assertThat(sandbox.containers()).doesNotContain(container);
    }

    @Test
    void moreContainersThanTheBridgeHasSlotsComeAndGo() throws IOException {
        for (int i = 0; i < 33; i++) {
            Container container = container("echo", "x");
            assertThat(output(container)).isEqualTo("x\n");
            container.delete();
        }
    }

    @Test
    void waitingForAProcessHasADeadlineAndCanBeInterrupted() throws Exception {
        GuestProcess sleeping = exec("sleep", "1000");
        assertThatThrownBy(() -> sleeping.waitFor(Duration.ofMillis(50))).isInstanceOf(DeadlineExceededException.class);
        CompletableFuture<Throwable> outcome = new CompletableFuture<>();
        Thread waiter = new Thread(() -> {
            try {
                sleeping.waitFor(SOON);
                outcome.completeExceptionally(new AssertionError("ended"));
            } catch (VirtException e) {
                outcome.complete(e);
            }
        });
        waiter.start();
        await().atMost(SOON).until(() -> waiter.getState() == Thread.State.TIMED_WAITING);
        waiter.interrupt();
        assertThat(outcome.get(10, TimeUnit.SECONDS)).isInstanceOf(CancelledException.class);
        sleeping.signal(Signal.KILL);
        assertThat(sleeping.waitFor(SOON).signal()).hasValue(9);
    }

    @Test
    void writingToAProcessThatReadsNoMoreFails() {
        GuestProcess process = exec("true");
        process.waitFor(SOON);
        assertThatThrownBy(() -> {
                    try (OutputStream stdin = process.stdin()) {
                        stdin.write(new byte[1 << 20]);
                        stdin.flush();
                    }
                })
                .isInstanceOf(IOException.class);
    }
}
