// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.SOON;
import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.testkit.OtherJvm;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Detached sandboxes, used from several Java processes. */
@Tag("vm")
@Timeout(120)
class DetachedVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
    }

    @AfterEach
    void close() throws IOException {
        fixture.vc.list().forEach(status -> fixture.vc.cleanup(status.id()));
        fixture.close();
    }

    private OtherJvm maker(String id, String... command) throws IOException {
        String[] arguments = new String[3 + command.length];
        arguments[0] = fixture.state.toString();
        arguments[1] = id;
        arguments[2] = fixture.rootfs.toString();
        System.arraycopy(command, 0, arguments, 3, command.length);
        OtherJvm maker = new OtherJvm(DetachedMaker.class, arguments);
        maker.expect("running");
        return maker;
    }

    @Test
    void survivesItsMakerAndIsUsedByAnotherProcess() throws Exception {
        try (OtherJvm maker = maker("d", "sh", "-c", "echo first; read line; echo got $line; exit 7")) {
            maker.kill();
        }
        Sandbox sandbox = fixture.vc.sandbox("d");
        SandboxStatus status = sandbox.status();
        assertThat(status.state()).isEqualTo(State.RUNNING);
        assertThat(status.detached()).isTrue();
        assertThat(status.guestAnswers()).isTrue();
        Container container = sandbox.container("c");
        assertThat(container.config().process().command()).contains("sh");

        GuestProcess exec = container.exec(ProcessConfig.of("echo", "from another process"));
        assertThat(output(exec)).isEqualTo("from another process\n");
        assertThat(exec.waitFor(SOON).code()).isZero();

        GuestProcess process = container.process();
        try (OutputStream stdin = process.stdin()) {
            stdin.write("it\n".getBytes(StandardCharsets.UTF_8));
        }
        assertThat(output(process)).isEqualTo("first\ngot it\n");
        assertThat(process.waitFor(SOON).code()).isEqualTo(7);
        assertThat(container.status().exit()).contains(new ExitStatus(7));

        sandbox.delete();
        assertThat(fixture.sandboxFiles()).isEmpty();
        assertThat(VmFixture.processesWith("-pidfile " + fixture.state)).isEmpty();
    }

    @Test
    void tellsHowAProcessEndedThatNobodyWaitedFor() throws Exception {
        try (OtherJvm maker = maker("d", "sh", "-c", "exit 9")) {
            maker.kill();
        }
        try (OtherJvm teller = new OtherJvm(StatusTeller.class, fixture.state.toString())) {
            teller.expect("ready");
            String status = "running c=running"; // the process may not have ended yet
            while (status.equals("running c=running")) { // ends by the time-out of the class
                teller.send("d");
                status = teller.readLine();
            }
            assertThat(status).isEqualTo("running c=stopped(9)");
            teller.send("nobody");
            teller.expect("NotFoundException");
        }
        assertThat(fixture.vc
                        .sandbox("d")
                        .container("c")
                        .process()
                        .waitFor(SOON)
                        .code())
                .isEqualTo(9);
    }

    @Test
    void attachesToAProcessThatAnotherOneStarted() throws Exception {
        try (OtherJvm maker = maker("d", "sleep", "1000000")) {
            Sandbox sandbox = fixture.vc.sandbox("d"); // while the maker is connected too
            Container container = sandbox.container("c");
            GuestProcess started = container.exec(ProcessConfig.of("sh", "-c", "read x; echo $x; exit 3"));
            sandbox.close();
            Sandbox again = fixture.vc.sandbox("d");
            GuestProcess attached = again.container("c").process(started.id());
            try (OutputStream stdin = attached.stdin()) {
                stdin.write("hello\n".getBytes(StandardCharsets.UTF_8));
            }
            assertThat(output(attached)).isEqualTo("hello\n");
            assertThat(attached.waitFor(SOON).code()).isEqualTo(3);
            assertThatThrownBy(() -> again.container("c").process("exec-unknown"))
                    .isInstanceOf(NotFoundException.class);
            maker.kill();
        }
    }

    @Test
    void theFirstStatusAfterTheDeathOfTheShimSaysStopped() throws Exception {
        try (OtherJvm maker = maker("d", "sleep", "1000000");
                OtherJvm teller = new OtherJvm(StatusTeller.class, fixture.state.toString())) {
            maker.kill();
            Process shim = new ProcessBuilder("sleep", "1000").start();
            Sandbox sandbox = fixture.vc.sandbox("d");
            sandbox.container("c").shim(HostProcess.of(shim.pid()));
            teller.expect("ready");
            teller.send("d");
            teller.expect("running c=running");

            shim.destroyForcibly().waitFor();
            teller.send("d");
            teller.expect("running c=stopped");

            // What it held in the machine is released: its id and its disk are free again.
            assertThat(sandbox.status().containers().get(0).shim()).isEmpty();
            sandbox.container("c").delete();
            assertThat(output(fixture.container(sandbox, "c", "echo", "free again")))
                    .isEqualTo("free again\n");
            sandbox.delete();
            assertThat(fixture.sandboxFiles()).isEmpty();
            assertThat(VmFixture.processesWith("-pidfile " + fixture.state)).isEmpty();
        }
    }

    @Test
    void theFirstStatusAfterTheDeathOfTheHypervisorSaysStopped() throws Exception {
        try (OtherJvm maker = maker("d", "sleep", "1000000");
                OtherJvm teller = new OtherJvm(StatusTeller.class, fixture.state.toString())) {
            teller.expect("ready");
            HostProcess hypervisor = fixture.vc.status("d").hypervisor().orElseThrow();
            ProcessHandle.of(hypervisor.pid()).orElseThrow().destroyForcibly();
            while (hypervisor.isAlive()) {
                Thread.onSpinWait();
            }
            teller.send("d");
            teller.expect("stopped c=stopped");
            maker.kill();
            Sandbox sandbox = fixture.vc.sandbox("d");
            sandbox.start(); // and it can be started again
            sandbox.container("c").start();
            assertThat(sandbox.container("c").state()).isEqualTo(State.RUNNING);
            sandbox.delete();
            assertThat(VmFixture.processesWith("-pidfile " + fixture.state)).isEmpty();
        }
    }

    @Test
    void pausesAndResumesTheMachineFromAnotherProcess() throws Exception {
        try (OtherJvm maker = maker("d", "cat")) {
            maker.kill();
            Sandbox sandbox = fixture.vc.sandbox("d");
            sandbox.pause();
            assertThat(sandbox.state()).isEqualTo(State.PAUSED);
            assertThatThrownBy(() -> sandbox.container("c").exec(ProcessConfig.of("true")))
                    .isInstanceOf(IllegalTransitionException.class);
            sandbox.resume();
            assertThat(output(sandbox.container("c").exec(ProcessConfig.of("echo", "on"))))
                    .isEqualTo("on\n");
        }
    }

    @Test
    void whatACrashedProcessBeganInALiveMachineIsUndoneByTheNext() throws Exception {
        fixture.vc
                .run(SandboxConfig.builder("d")
                        .memory(MemorySize.mib(256))
                        .detached(true)
                        .build())
                .close();
        for (String phase :
                List.of("device.attach", "container.create", "container.start", "container.remove", "device.detach")) {
            try (OtherJvm crasher =
                    new OtherJvm(DetachedCrasher.class, fixture.state.toString(), fixture.rootfs.toString(), phase)) {
                assertThat(crasher.waitFor()).as(phase).isEqualTo(99);
            }
            SandboxStatus status = fixture.vc.status("d");
            assertThat(status.state()).as(phase).isEqualTo(State.RUNNING);
            assertThat(status.containers()).as(phase).allMatch(c -> c.state() == State.STOPPED);
            Sandbox sandbox = fixture.vc.sandbox("d");
            sandbox.containers().forEach(Container::delete);
            Container again = fixture.container(sandbox, "c", "echo", phase);
            assertThat(output(again)).isEqualTo(phase + "\n");
            again.delete();
            sandbox.close();
        }
        fixture.vc.sandbox("d").delete();
        assertThat(fixture.sandboxFiles()).isEmpty();
    }
}
