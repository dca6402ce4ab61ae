// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.NO_PHASES;
import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.HypervisorProvider;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.ServiceLoader;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("vm")
class QemuLaunchVmTest {
    @TempDir
    static Path shared;

    static GuestImage image;

    @TempDir
    Path directory;

    private QemuHypervisor hypervisor;

    @BeforeAll
    static void makeImage() {
        image = TestGuest.image(shared);
    }

    @BeforeEach
    void open() {
        hypervisor = new QemuHypervisor(shared);
    }

    @AfterEach
    void close() {
        hypervisor.close();
        assertThat(processesNaming(directory)).isEmpty();
    }

    private static List<String> processesNaming(Path directory) {
        return ProcessHandle.allProcesses()
                .map(process ->
                        process.pid() + " " + process.info().commandLine().orElse(""))
                .filter(line -> line.contains(directory.toString()))
                .toList();
    }

    private VmConfig config() {
        return TestGuest.config(directory, image, "");
    }

    private VmConfig withImage(GuestImage other) {
        VmConfig c = config();
        return new VmConfig(
                c.sandboxId(),
                c.directory(),
                c.vcpus(),
                c.memory(),
                c.detached(),
                c.settings(),
                other,
                c.kernelParameters());
    }

    private VmConfig withBinary(Path binary) {
        VmConfig c = config();
        return new VmConfig(
                c.sandboxId(),
                c.directory(),
                c.vcpus(),
                c.memory(),
                c.detached(),
                HypervisorConfig.builder()
                        .accelerator(c.settings().accelerator())
                        .agentChannel(c.settings().agentChannel())
                        .binary(binary)
                        .build(),
                c.image(),
                c.kernelParameters());
    }

    private Path script(String body) throws IOException {
        Path file = Files.writeString(directory.resolve("fake-qemu"), "#!/bin/sh\n" + body + "\n");
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
    }

    private static final String ANSWERS = """
            case "$1" in
            -version) echo "QEMU emulator version 8.1.0"; exit ;;
            -L) echo /usr/share/qemu; exit ;;
            esac
            """;

    @Test
    void theProviderIsFoundByItsService() {
        assertThat(ServiceLoader.load(HypervisorProvider.class))
                .hasExactlyElementsOfTypes(QemuHypervisorProvider.class);
    }

    @Test
    void whatQemuRefusesIsAnErrorWithItsWordsAtOnce() {
        VmConfig c = config();
        VmConfig tooMuch = new VmConfig(
                c.sandboxId(),
                c.directory(),
                c.vcpus(),
                MemorySize.gib(1L << 30),
                c.detached(),
                c.settings(),
                c.image(),
                c.kernelParameters());
        long start = System.nanoTime();
        assertThatThrownBy(() -> hypervisor.launch(tooMuch, NO_PHASES, seconds(60)))
                .isInstanceOfSatisfying(
                        HypervisorException.class,
                        e -> assertThat(e.diagnostics().hypervisorTail()).contains("qemu-system-x86_64: "))
                .hasMessageContaining("exited with code 1")
                .hasMessageContaining("memory");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void aMissingKernelIsNamed() {
        GuestImage missing =
                new GuestImage(directory.resolve("no-kernel"), image.initrd().orElseThrow(), "");
        assertThatThrownBy(() -> hypervisor.launch(withImage(missing), NO_PHASES, seconds(60)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("no-kernel");
    }

    @Test
    void aKernelThatDoesNotBootEndsWithAReasonOrStaysSilentButStoppable() throws IOException {
        byte[] garbage = new byte[64 << 10];
        new Random(1).nextBytes(garbage);
        GuestImage broken = new GuestImage(
                Files.write(directory.resolve("garbage"), garbage),
                image.initrd().orElseThrow(),
                "");
        assertThatThrownBy(() -> hypervisor.launch(withImage(broken), NO_PHASES, seconds(60)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("exited with code 1")
                .hasMessageContaining("kernel");
    }

    @Test
    void anElfFileThatIsNoKernelIsRefused() {
        GuestImage program =
                new GuestImage(Path.of("/bin/busybox"), image.initrd().orElseThrow(), "");
        assertThatThrownBy(() -> hypervisor.launch(withImage(program), NO_PHASES, seconds(60)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("PVH");
    }

    @Test
    void aMissingBinaryIsAHostProblemWithARemedy() {
        assertThatThrownBy(() -> hypervisor.launch(withBinary(directory.resolve("nothing")), NO_PHASES, seconds(10)))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("nothing")
                .hasMessageContaining("apt install qemu-system-x86");
    }

    @Test
    void anOldQemuIsRefused() throws IOException {
        Path old = script("echo 'QEMU emulator version 6.2.0 (Debian)'");
        assertThatThrownBy(() -> hypervisor.launch(withBinary(old), NO_PHASES, seconds(10)))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("6.2.0")
                .hasMessageContaining("at least 7");
    }

    @Test
    void aProgramThatIsNoQemuIsRefused() throws IOException {
        Path other = script("echo something else");
        assertThatThrownBy(() -> hypervisor.launch(withBinary(other), NO_PHASES, seconds(10)))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("something else");
    }

    @Test
    void aQemuThatNeverGreetsIsKilledAtTheDeadline() throws IOException {
        Path silent = script(ANSWERS + "echo starting; echo $$ >pid; exec sleep 1000");
        assertThatThrownBy(
                        () -> hypervisor.launch(withBinary(silent), NO_PHASES, Deadline.after(Duration.ofMillis(1500))))
                .isInstanceOfSatisfying(
                        DeadlineExceededException.class,
                        e -> assertThat(e.diagnostics().hypervisorTail()).isEqualTo("starting\n"))
                .hasMessageContaining("greeting");
        TestGuest.assertDead(writtenPid());
    }

    @Test
    void anInterruptEndsALaunch() throws Exception {
        Path silent = script(ANSWERS + "echo $$ >pid; exec sleep 1000");
        List<Throwable> thrown = new ArrayList<>();
        Thread caller = new Thread(() -> {
            try {
                hypervisor.launch(withBinary(silent), NO_PHASES, seconds(60));
            } catch (RuntimeException e) {
                thrown.add(e);
            }
        });
        caller.start();
        await().atMost(Duration.ofSeconds(10)).until(() -> writtenPid() > 0);
        long pid = writtenPid();
        caller.interrupt();
        caller.join(10_000);
        assertThat(thrown).singleElement().isInstanceOf(CancelledException.class);
        TestGuest.assertDead(pid);
    }

    /** The working directory of QEMU is the sandbox directory. */
    private long writtenPid() throws IOException {
        Path file = directory.resolve("pid");
        String text = Files.exists(file) ? Files.readString(file).strip() : "";
        return text.isEmpty() ? 0 : Long.parseLong(text);
    }

    @Test
    void aQemuThatFloodsItsErrorOutputIsBounded() throws IOException {
        Path noisy = script(ANSWERS + "exec yes noise");
        assertThatThrownBy(() -> hypervisor.launch(withBinary(noisy), NO_PHASES, Deadline.after(Duration.ofSeconds(3))))
                .isInstanceOfSatisfying(
                        DeadlineExceededException.class,
                        e -> assertThat(e.diagnostics().hypervisorTail())
                                .startsWith("noise\n")
                                .hasSizeLessThanOrEqualTo(8 << 10));
    }

    @Test
    void closeEndsWhatStillRuns() {
        VirtualMachine machine = hypervisor.launch(config(), NO_PHASES, seconds(20));
        hypervisor.close();
        await().atMost(Duration.ofSeconds(5))
                .until(() -> TestGuest.isDead(machine.process().pid()));
        assertThatThrownBy(() -> hypervisor.launch(config(), NO_PHASES, seconds(5)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("closed");
    }

    @Test
    void launchingAndStoppingLeavesNoFileDescriptorsAndNoThreads() throws Exception {
        hypervisor.launch(config(), NO_PHASES, seconds(20)).stop(seconds(10));
        long descriptors = TestGuest.openDescriptors();
        for (int i = 0; i < 8; i++) {
            hypervisor.launch(config(), NO_PHASES, seconds(20)).stop(seconds(10));
            assertThatThrownBy(() -> hypervisor.launch(
                            withImage(new GuestImage(
                                    directory.resolve("no"), image.initrd().orElseThrow(), "")),
                            NO_PHASES,
                            seconds(20)))
                    .isInstanceOf(HypervisorException.class);
        }
        await().atMost(Duration.ofSeconds(5)).until(() -> TestGuest.openDescriptors() <= descriptors);
        hypervisor.close();
        await().atMost(Duration.ofSeconds(5))
                .until(() -> Thread.getAllStackTraces().keySet().stream()
                        .noneMatch(thread -> thread.getName().startsWith("virtcontainers-qemu")));
    }

    @Test
    void killingTheJavaProcessKillsItsQemu() throws Exception {
        for (int round = 0; round < 3; round++) {
            Process owner = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:TieredStopAtLevel=1",
                            "-cp",
                            System.getProperty("java.class.path"),
                            LaunchAndWait.class.getName(),
                            directory.toString(),
                            shared.toString(),
                            image.kernel().toString(),
                            image.initrd().orElseThrow().toString(),
                            "scoped")
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try {
                String line = owner.inputReader().readLine();
                assertThat(line).startsWith("pid ");
                long pid = Long.parseLong(line.substring(4));
                assertThat(TestGuest.isDead(pid)).isFalse();
                owner.destroyForcibly();
                await().atMost(Duration.ofSeconds(2)).until(() -> TestGuest.isDead(pid));
            } finally {
                owner.destroyForcibly();
                assertThat(owner.waitFor(10, TimeUnit.SECONDS)).isTrue();
            }
        }
    }
}
