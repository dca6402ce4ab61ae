// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AgentConnectionLostException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.Container;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Device;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.IllegalTransitionException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.Signal;
import io.virtcontainers.State;
import io.virtcontainers.Timeline;
import io.virtcontainers.VirtException;
import io.virtcontainers.VmDiedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SandboxTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    @TempDir
    Path directory;

    private EngineFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new EngineFixture(directory);
    }

    @AfterEach
    void close() {
        fixture.close();
    }

    @Test
    void runsAContainerAndGivesBackItsOutputAndExitCode() throws IOException {
        try (Sandbox sandbox = fixture.running("demo")) {
            Container container = fixture.container(sandbox, "hello", "echo", "hello", "world");
            assertThat(container.state()).isEqualTo(State.READY);
            container.start();
            assertThat(new String(container.process().stdout().readAllBytes(), UTF_8))
                    .isEqualTo("hello world\n");
            assertThat(container.process().waitFor(SOON)).isEqualTo(new ExitStatus(0));
            assertThat(container.state()).isEqualTo(State.STOPPED);
        }
    }

    @Test
    void goesThroughItsStates() {
        Sandbox sandbox = fixture.engine.create(SandboxConfig.builder("demo").build());
        assertThat(sandbox.state()).isEqualTo(State.READY);
        sandbox.start();
        assertThat(sandbox.state()).isEqualTo(State.RUNNING);
        sandbox.stop();
        assertThat(sandbox.state()).isEqualTo(State.STOPPED);
        sandbox.stop();
        sandbox.delete();
        sandbox.delete();
        assertThat(fixture.engine.sandboxes()).isEmpty();
    }

    @Test
    void refusesWhatItsStateForbids() {
        Sandbox sandbox = fixture.engine.create(SandboxConfig.builder("demo").build());
        assertThatThrownBy(() -> fixture.container(sandbox, "c", "true"))
                .isInstanceOf(IllegalTransitionException.class)
                .hasMessageContaining("sandbox demo is ready")
                .hasMessageContaining("start it first");
        sandbox.start();
        assertThatThrownBy(sandbox::start).isInstanceOf(IllegalTransitionException.class);
        Container container = fixture.container(sandbox, "c", "true");
        assertThatThrownBy(() -> container.exec(ProcessConfig.of("true")))
                .isInstanceOf(IllegalTransitionException.class);
        container.start();
        container.process().waitFor(SOON);
        assertThatThrownBy(container::pause)
                .isInstanceOf(IllegalTransitionException.class)
                .hasMessageContaining("container c is stopped")
                .hasMessageContaining("stopped -> paused");
    }

    @Test
    void leavesNothingWhenTheHypervisorDoesNotStart() throws IOException {
        fixture.hypervisor.faults().fail("launch", new HypervisorException("no such machine"));
        assertThatThrownBy(() -> fixture.running("demo"))
                .isInstanceOf(HypervisorException.class)
                .hasMessage("no such machine")
                .satisfies(e ->
                        assertThat(((VirtException) e).diagnostics().phase()).isEqualTo("hypervisor.launch"));
        assertThat(fixture.engine.sandboxes()).isEmpty();
        assertThat(fixture.sandboxDirectories()).isEmpty();
    }

    @Test
    void endsTheMachineWhenTheAgentDoesNotAnswer() throws IOException {
        fixture.agents.faults().hang("awaitReady");
        SandboxConfig config = SandboxConfig.builder("demo")
                .bootDeadline(Duration.ofMillis(100))
                .build();
        assertThatThrownBy(() -> fixture.engine.run(config))
                .isInstanceOf(DeadlineExceededException.class)
                .satisfies(e -> assertThat(((VirtException) e).diagnostics().consoleTail())
                        .isEqualTo("fake console"));
        assertThat(fixture.hypervisor.machines().get(0).isAlive()).isFalse();
        assertThat(fixture.sandboxDirectories()).isEmpty();
    }

    @Test
    void doesNotWaitForTheAgentOfADeadMachine() {
        fixture.agents
                .faults()
                .before("awaitReady", () -> fixture.hypervisor.machines().get(0).die("killed by signal 9"));
        fixture.agents.faults().hang("createSandbox");
        assertThatThrownBy(() -> fixture.running("demo"))
                .isInstanceOf(VmDiedException.class)
                .hasMessageContaining("killed by signal 9");
    }

    @Test
    void failsAllThatWaitsWhenTheMachineDies() {
        Sandbox sandbox = fixture.running("demo");
        Container container = fixture.container(sandbox, "c", "sleep");
        container.start();
        CompletableFuture<ExitStatus> exit = container.process().onExit();
        fixture.hypervisor.machines().get(0).die("killed by signal 9");
        assertThatThrownBy(() -> container.process().waitFor(SOON))
                .isInstanceOf(VmDiedException.class)
                .hasMessageContaining("killed by signal 9");
        assertThatThrownBy(exit::join)
                .isInstanceOf(CompletionException.class)
                .hasCauseInstanceOf(VmDiedException.class);
        assertThat(sandbox.state()).isEqualTo(State.STOPPED);
        assertThat(container.state()).isEqualTo(State.STOPPED);
        assertThat(sandbox.onExit().join()).isEqualTo("killed by signal 9");
    }

    @Test
    void saysThatTheMachineDiedWhenARequestFailsForThatReason() {
        Sandbox sandbox = fixture.running("demo");
        fixture.agents.faults().before("createContainer", () -> {
            fixture.hypervisor.machines().get(0).die("killed by signal 9");
            throw new AgentConnectionLostException("connection reset", null);
        });
        assertThatThrownBy(() -> fixture.container(sandbox, "c", "true")).isInstanceOf(VmDiedException.class);
    }

    @Test
    void deletingEndsAStartInProgress() throws Exception {
        fixture.agents.faults().hang("awaitReady");
        Sandbox sandbox = fixture.engine.create(SandboxConfig.builder("demo").build());
        CompletableFuture<Void> reached = new CompletableFuture<>();
        fixture.agents.faults().before("awaitReady", () -> {
            reached.complete(null);
            new CompletableFuture<>().join();
        });
        CompletableFuture<Void> start = CompletableFuture.runAsync(sandbox::start);
        reached.get(10, TimeUnit.SECONDS);
        sandbox.delete();
        assertThatThrownBy(start::join).hasCauseInstanceOf(VmDiedException.class);
        assertThat(fixture.hypervisor.machines().get(0).isAlive()).isFalse();
    }

    @Test
    void deletingEndsWhatAnotherThreadWaitsForInTheGuest() throws Exception {
        Sandbox sandbox = fixture.running("demo");
        CompletableFuture<Void> reached = new CompletableFuture<>();
        fixture.agents.faults().before("createContainer", () -> {
            reached.complete(null);
            new CompletableFuture<>().join();
        });
        CompletableFuture<Container> creation =
                CompletableFuture.supplyAsync(() -> fixture.container(sandbox, "c", "true"));
        reached.get(10, TimeUnit.SECONDS);
        sandbox.delete();
        assertThatThrownBy(creation::join).hasCauseInstanceOf(VmDiedException.class);
        assertThat(fixture.hypervisor.machines().get(0).isAlive()).isFalse();
    }

    @Test
    void aContainerOfUnknownOutcomeIsRemovedFromTheGuest() {
        Sandbox sandbox = fixture.running("demo");
        fixture.agents.faults().fail("createContainer", new DeadlineExceededException("no answer"));
        assertThatThrownBy(() -> fixture.container(sandbox, "c", "true")).hasMessage("no answer");
        assertThat(fixture.agents.faults().calls()).endsWith("createContainer", "removeContainer");
        assertThat(fixture.hypervisor.machines().get(0).disks()).isEmpty();
    }

    @Test
    void itsPhasesAreEventsOfTheFlightRecorder() throws IOException {
        Path file = directory.resolve("phases.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("io.virtcontainers.Phase");
            recording.start();
            fixture.running("recorded").delete();
            recording.stop();
            recording.dump(file);
        }
        assertThat(RecordingFile.readAllEvents(file))
                .filteredOn(event -> event.getString("sandbox").equals("recorded"))
                .extracting(event -> event.getString("phase"))
                .contains("hypervisor.launch", "agent.connect", "sandbox.create", "hypervisor.stop");
    }

    @Test
    void interruptingAStartCancelsIt() throws Exception {
        CompletableFuture<Void> reached = new CompletableFuture<>();
        fixture.agents.faults().before("awaitReady", () -> {
            reached.complete(null);
            new CompletableFuture<>().join();
        });
        CompletableFuture<Throwable> outcome = new CompletableFuture<>();
        Thread starter = new Thread(() -> {
            try {
                fixture.running("demo");
                outcome.completeExceptionally(new AssertionError("started"));
            } catch (VirtException e) {
                outcome.complete(e);
            }
        });
        starter.start();
        reached.get(10, TimeUnit.SECONDS);
        starter.interrupt();
        assertThat(outcome.get(10, TimeUnit.SECONDS)).isInstanceOf(CancelledException.class);
        assertThat(fixture.hypervisor.machines().get(0).isAlive()).isFalse();
    }

    @Test
    void unplugsTheDiskOfAContainerThatCannotBeCreated() {
        Sandbox sandbox = fixture.running("demo");
        assertThatThrownBy(() -> fixture.container(sandbox, "c", "no-such-program"))
                .isInstanceOf(CommandNotFoundException.class);
        assertThat(fixture.hypervisor.machines().get(0).disks()).isEmpty();
        assertThat(sandbox.containers()).isEmpty();
        fixture.container(sandbox, "c", "true");
    }

    @Test
    void deletesAContainerWithItsDisk() {
        Sandbox sandbox = fixture.running("demo");
        Container container = fixture.container(sandbox, "c", "sleep");
        container.start();
        container.delete();
        container.delete();
        assertThat(fixture.hypervisor.machines().get(0).disks()).isEmpty();
        assertThat(fixture.agents.agents().get(0).containers()).isEmpty();
        assertThatThrownBy(() -> sandbox.container("c")).isInstanceOf(NotFoundException.class);
    }

    @Test
    void aFailedDeleteOfAContainerCanBeRepeated() {
        Sandbox sandbox = fixture.running("demo");
        Container container = fixture.container(sandbox, "c", "sleep");
        fixture.hypervisor.faults().fail("removeDevice", new HypervisorException("the guest refuses"));
        assertThatThrownBy(container::delete).hasMessage("the guest refuses");
        assertThat(sandbox.containers()).containsExactly(container);
        fixture.hypervisor.faults().heal("removeDevice");
        container.delete();
        assertThat(sandbox.containers()).isEmpty();
    }

    @Test
    void refusesAContainerIdThatIsTaken() {
        Sandbox sandbox = fixture.running("demo");
        Container first = fixture.container(sandbox, "c", "true");
        assertThatThrownBy(() -> fixture.container(sandbox, "c", "true")).isInstanceOf(AlreadyExistsException.class);
        assertThat(sandbox.container("c")).isSameAs(first);
    }

    @Test
    void execRunsAFurtherProcessAndKillEndsAll() throws IOException {
        Sandbox sandbox = fixture.running("demo");
        Container container = fixture.container(sandbox, "c", "sleep");
        container.start();
        GuestProcess echo = container.exec(ProcessConfig.of("echo", "hi"));
        assertThat(new String(echo.stdout().readAllBytes(), UTF_8)).isEqualTo("hi\n");
        GuestProcess second = container.exec(ProcessConfig.of("sleep"));
        assertThat(second.id()).isNotEqualTo(echo.id());
        container.kill(Signal.KILL);
        assertThat(second.waitFor(SOON).code()).isEqualTo(137);
        assertThat(container.process().waitFor(SOON).signal()).hasValue(9);
        container.kill(Signal.KILL);
    }

    @Test
    void stopsTheMachineThoughTheAgentHangs() throws IOException {
        Sandbox sandbox = fixture.running("demo");
        String unused = sandbox.addDevice(new Device.Block(
                "disk", Files.createFile(fixture.rootfs.resolveSibling("disk")), /* readOnly= */ false));
        fixture.agents.faults().hang("destroySandbox");
        sandbox.stop();
        assertThat(fixture.hypervisor.machines().get(0).isAlive()).isFalse();
    }

    @Test
    void closingOnAnInterruptedThreadClosesAndKeepsTheInterrupt() throws IOException {
        Sandbox sandbox = fixture.running("demo");
        Thread.currentThread().interrupt();
        sandbox.close();
        assertThat(Thread.interrupted()).isTrue();
        assertThat(fixture.hypervisor.machines().get(0).isAlive()).isFalse();
        assertThat(fixture.sandboxDirectories()).isEmpty();
    }

    @Test
    void whoWaitsForAProcessLearnsThatTheSandboxWasStopped() {
        Sandbox sandbox = fixture.running("demo");
        Container container = fixture.container(sandbox, "c", "sleep");
        container.start();
        sandbox.stop();
        assertThatThrownBy(() -> container.process().waitFor(SOON))
                .isInstanceOf(VmDiedException.class)
                .hasMessageContaining("was stopped");
    }

    @Test
    void anInterruptedCreationLeavesNothingOfTheContainer() throws Exception {
        Sandbox sandbox = fixture.running("demo");
        CompletableFuture<Void> reached = new CompletableFuture<>();
        fixture.agents.faults().before("createContainer", () -> {
            reached.complete(null);
            new CompletableFuture<>().join();
        });
        CompletableFuture<Throwable> outcome = new CompletableFuture<>();
        Thread creator = new Thread(() -> {
            try {
                fixture.container(sandbox, "c", "true");
                outcome.completeExceptionally(new AssertionError("created"));
            } catch (VirtException e) {
                outcome.complete(Thread.interrupted() ? e : new AssertionError("the interrupt is lost", e));
            }
        });
        creator.start();
        reached.get(10, TimeUnit.SECONDS);
        creator.interrupt();
        assertThat(outcome.get(10, TimeUnit.SECONDS)).isInstanceOf(CancelledException.class);
        assertThat(fixture.hypervisor.machines().get(0).disks()).isEmpty();
        fixture.agents.faults().heal("createContainer");
        fixture.container(sandbox, "c", "true");
    }

    @Test
    void keepsTheClaimWhileTheMachineCannotBeEnded() throws IOException {
        Sandbox sandbox = fixture.running("demo");
        fixture.hypervisor.faults().fail("stop", new HypervisorException("survived SIGKILL"));
        assertThatThrownBy(sandbox::delete).hasMessage("survived SIGKILL");
        assertThat(fixture.sandboxDirectories()).hasSize(1);
        fixture.hypervisor.faults().heal("stop");
        sandbox.delete();
        assertThat(fixture.sandboxDirectories()).isEmpty();
    }

    @Test
    void anErrorSurvivesSerialization() throws Exception {
        java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
        try (java.io.ObjectOutputStream out = new java.io.ObjectOutputStream(bytes)) {
            out.writeObject(new HypervisorException("gone")
                    .withDiagnostics(Diagnostics.none().inPhase("x")));
        }
        try (java.io.ObjectInputStream in =
                new java.io.ObjectInputStream(new java.io.ByteArrayInputStream(bytes.toByteArray()))) {
            assertThat(in.readObject()).hasToString("io.virtcontainers.HypervisorException: gone");
        }
    }

    @Test
    void recordsItsPhases() {
        Sandbox sandbox = fixture.running("demo");
        assertThat(sandbox.timeline().phases())
                .extracting(Timeline.Phase::name)
                .containsExactly("guest.image", "hypervisor.launch", "agent.connect", "sandbox.create");
        assertThat(sandbox.timeline().toString()).contains("agent.connect");
    }
}
