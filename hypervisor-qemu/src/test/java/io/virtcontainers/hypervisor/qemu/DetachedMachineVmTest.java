// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.NO_PHASES;
import static io.virtcontainers.hypervisor.qemu.TestGuest.assertDead;
import static io.virtcontainers.hypervisor.qemu.TestGuest.awaitConsole;
import static io.virtcontainers.hypervisor.qemu.TestGuest.isDead;
import static io.virtcontainers.hypervisor.qemu.TestGuest.openDescriptors;
import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Device;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.VirtualMachine;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two hypervisors in this process stand for two processes, except where the launching process is killed. */
@Tag("vm")
@Timeout(120)
class DetachedMachineVmTest {
    @TempDir
    static Path shared;

    static GuestImage image;

    @TempDir
    Path directory;

    private QemuHypervisor owner;
    private QemuHypervisor other;
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());

    @BeforeAll
    static void makeImage() {
        image = TestGuest.image(shared);
    }

    @BeforeEach
    void open() {
        owner = new QemuHypervisor(shared);
        other = new QemuHypervisor(shared);
    }

    @AfterEach
    void close() {
        owner.close();
        other.reap(directory, seconds(10));
        other.close();
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
    }

    private VirtualMachine launch(String test) {
        return owner.launch(TestGuest.config(directory, image, test, true), NO_PHASES, seconds(20));
    }

    private VirtualMachine attach(HostProcess process) {
        return other.attach("demo", directory, HypervisorConfig.defaults(), process, seconds(5));
    }

    private static String status(long pid, String field) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                .filter(line -> line.startsWith(field + ":"))
                .findFirst()
                .orElseThrow()
                .substring(field.length() + 1)
                .strip();
    }

    private static long ourThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("virtcontainers"))
                .count();
    }

    @Test
    void survivesTheDeathOfTheJavaProcessThatLaunchedIt() throws Exception {
        Process launcher = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        LaunchAndWait.class.getName(),
                        directory.toString(),
                        shared.toString(),
                        image.kernel().toString(),
                        image.initrd().orElseThrow().toString(),
                        "detached")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        HostProcess qemu;
        try {
            String line = launcher.inputReader().readLine();
            assertThat(line).startsWith("pid ");
            qemu = HostProcess.of(Long.parseLong(line.substring(4)));
        } finally {
            launcher.destroyForcibly();
            assertThat(launcher.waitFor(10, TimeUnit.SECONDS)).isTrue();
        }
        // Out of reach of the terminal, and of the broken pipe of its standard error.
        assertThat(status(qemu.pid(), "NSsid")).isEqualTo(Long.toString(qemu.pid()));
        assertThat(new BigInteger(status(qemu.pid(), "SigIgn"), 16).testBit(13 - 1))
                .isTrue();

        VirtualMachine machine = attach(qemu);
        // The guest writes more to its console, which nobody has, than any buffer takes, and answers after that.
        assertThat(TestGuest.echo(machine.channels().get(0))).isEqualTo("hello");
        assertThat(machine.isPaused(seconds(5))).isFalse();
        machine.pause(seconds(5));
        machine.pause(seconds(5));
        assertThat(machine.isPaused(seconds(5))).isTrue();
        machine.resume(seconds(5));
        machine.resume(seconds(5));
        assertThat(machine.isPaused(seconds(5))).isFalse();
        assertThat(machine.process()).isEqualTo(qemu);
        assertThat(machine.addDevice(new Device.Block("mine", image.initrd().orElseThrow(), true), seconds(5)))
                .isEqualTo("02/02");
        machine.removeDevice("left", seconds(20));
        assertThat(machine.addDevice(new Device.Block("left", image.initrd().orElseThrow(), true), seconds(5)))
                .isEqualTo("02/01");

        machine.stop(seconds(10));
        assertDead(qemu.pid());
        assertThat(machine.onExit()).succeedsWithin(1, TimeUnit.SECONDS).isEqualTo("stopped");
        machine.stop(seconds(10));
        machine.release();
    }

    @Test
    void hasTwentyPortsForTheAgent() {
        VirtualMachine machine = launch("ports");
        assertThat(machine.channels()).hasSize(20).allMatch(channel -> Files.exists(TestGuest.socket(channel)));
        assertThat(attach(machine.process()).channels()).isEqualTo(machine.channels());
        List<String> ports = IntStream.rangeClosed(1, 20)
                .mapToObj(Integer::toString)
                .sorted() // as the guest lists them: port 1 and 10 before 2
                .map(number -> "agent.channel." + (Integer.parseInt(number) - 1))
                .toList();
        awaitConsole(machine, "PORTS: " + String.join(" ", ports));
        machine.stop(seconds(10));
        assertDead(machine.process().pid());
    }

    @Test
    void aReleasedMachineRunsOnAndLeavesNothingOpenHere() throws Exception {
        VirtualMachine first = launch("");
        HostProcess qemu = first.process();
        // Both threads of the other hypervisor begin.
        VirtualMachine early = attach(qemu);
        assertThat(early.isPaused(seconds(5))).isFalse();
        early.release();
        long descriptors = openDescriptors();
        long threads = ourThreads();

        first.release();
        first.release();
        // The pidfd, the pipe of its standard error, QMP and the console.
        await().atMost(Duration.ofSeconds(5)).until(() -> openDescriptors() <= descriptors - 4);
        for (int i = 0; i < 5; i++) {
            VirtualMachine attached = attach(qemu);
            assertThat(attached.isPaused(seconds(5))).isFalse();
            attached.release();
            assertThatThrownBy(() -> attached.isPaused(seconds(5))).isInstanceOf(HypervisorException.class);
            assertThatThrownBy(() -> attached.stop(seconds(5))).hasMessageContaining("released");
        }
        await().atMost(Duration.ofSeconds(5)).until(() -> openDescriptors() <= descriptors - 4);
        assertThat(ourThreads()).isEqualTo(threads);
        owner.close();
        assertThat(isDead(qemu.pid())).isFalse();

        VirtualMachine last = attach(qemu);
        other.reap(directory, seconds(10));
        assertDead(qemu.pid());
        assertThat(last.onExit()).succeedsWithin(1, TimeUnit.SECONDS);
        assertThat(first.onExit()).isNotDone();
        // Nobody waits for it any more, and yet no zombie is left.
        await().atMost(Duration.ofSeconds(5)).until(() -> !Files.exists(Path.of("/proc/" + qemu.pid())));
    }

    @Test
    void everyProcessLearnsOfAKilledQemuWithinASecond() {
        VirtualMachine machine = launch("");
        VirtualMachine attached = attach(machine.process());
        assertThat(ProcessHandle.of(machine.process().pid()).orElseThrow().destroyForcibly())
                .isTrue();
        assertThat(attached.onExit())
                .succeedsWithin(1, TimeUnit.SECONDS)
                .asString()
                .startsWith("QEMU ended");
        assertThat(machine.onExit())
                .succeedsWithin(1, TimeUnit.SECONDS)
                .isEqualTo("QEMU was killed by signal 9 (SIGKILL)");
        assertThatThrownBy(() -> attach(machine.process())).isInstanceOf(VmDiedException.class);
    }

    @Test
    void attachesOnlyToTheQemuOfThisDirectory() {
        assertThatThrownBy(() -> attach(HostProcess.current()))
                .isInstanceOf(VmDiedException.class)
                .hasMessageContaining("demo");
        HostProcess current = HostProcess.current();
        HostProcess predecessor = new HostProcess(current.pid(), current.startTime() - 1, current.bootId());
        assertThatThrownBy(() -> attach(predecessor)).isInstanceOf(VmDiedException.class);

        VirtualMachine scoped = owner.launch(TestGuest.config(directory, image, ""), NO_PHASES, seconds(20));
        assertThat(scoped.channels()).hasSize(1);
        assertThatThrownBy(() -> attach(scoped.process()))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("not launched as detached");
        scoped.release();
        assertDead(scoped.process().pid());
    }

    @Test
    void aControlSocketInUseIsSaidInTime() {
        VirtualMachine machine = launch("");
        VirtualMachine attached = attach(machine.process());
        ControlSocket busy = new ControlSocket(new SandboxFiles(directory).controlSocket(), loops.next());
        String answered = busy.call(seconds(10), qmp -> {
            assertThatThrownBy(() -> attached.isPaused(Deadline.after(Duration.ofMillis(300))))
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining("another process may have in use");
            // The launching process has a monitor of its own.
            assertThat(machine.isPaused(seconds(5))).isFalse();
            return "ok";
        });
        assertThat(answered).isEqualTo("ok");
        assertThat(attached.isPaused(seconds(5))).isFalse();
        attached.stop(seconds(10));
        assertThat(machine.onExit()).succeedsWithin(1, TimeUnit.SECONDS).isEqualTo("QEMU was told to quit over QMP");
    }

    @Test
    void stopKillsAFrozenQemuAndWhenItIsInterrupted() throws Exception {
        VirtualMachine machine = launch("");
        assertThat(new ProcessBuilder(
                                "kill", "-STOP", Long.toString(machine.process().pid()))
                        .start()
                        .waitFor())
                .isZero();
        attach(machine.process()).stop(seconds(4));
        assertDead(machine.process().pid());

        VirtualMachine second = launch("");
        VirtualMachine attached = attach(second.process());
        Thread.currentThread().interrupt();
        attached.stop(seconds(10));
        assertThat(Thread.interrupted()).isTrue();
        assertDead(second.process().pid());
    }
}
