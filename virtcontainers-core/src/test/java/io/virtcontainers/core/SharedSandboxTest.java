// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AgentException;
import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Device;
import io.virtcontainers.HostProcess;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxBusyException;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.State;
import io.virtcontainers.VirtException;
import io.virtcontainers.testkit.FakeAgents;
import io.virtcontainers.testkit.FakeGuestImages;
import io.virtcontainers.testkit.FakeHypervisor;
import io.virtcontainers.testkit.FakeVirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What two engines on one state directory, as of two processes, must not do to each other. */
@Timeout(60)
class SharedSandboxTest {
    private static final Duration SOON = Duration.ofSeconds(30);

    @TempDir
    Path directory;

    private final FakeHypervisor hypervisor = FakeHypervisor.withProcesses();
    private final FakeAgents agents = new FakeAgents();
    private Engine one;
    private Engine two;
    private Sandbox first;
    private Sandbox second;

    @BeforeEach
    void open() {
        one = engine(agents);
        two = engine(new FakeAgents());
        first = one.run(SandboxConfig.builder("d").detached(true).build());
        second = two.sandbox("d");
    }

    private Engine engine(FakeAgents connector) {
        return Engine.open(
                directory.resolve("state"), () -> new Backends(hypervisor, connector, new FakeGuestImages()));
    }

    @AfterEach
    void close() {
        one.cleanup("d");
        one.close();
        two.close();
        assertThat(hypervisor.machines()).noneMatch(FakeVirtualMachine::isAlive);
    }

    private Container container(Sandbox sandbox, String id) {
        return sandbox.createContainer(ContainerConfig.builder(id)
                .rootfs(RootFs.directory(directory))
                .command("sleep", "1000")
                .build());
    }

    private Container running(Sandbox sandbox, String id) {
        Container container = container(sandbox, id);
        container.start();
        return container;
    }

    @Test
    void stoppingStopsTheMachineThatAnotherProcessStartedMeanwhile() {
        container(first, "c");
        assertThat(second.status().state()).isEqualTo(State.RUNNING); // both are connected to the first machine
        second.stop();
        second.start();
        second.pause();
        first.stop();
        assertThat(hypervisor.machines()).noneMatch(FakeVirtualMachine::isAlive);
        assertThat(second.state()).isEqualTo(State.STOPPED);
    }

    @Test
    void startingAgainAfterTheStopOfAnotherUsesUpNoChannels() {
        for (int round = 0; round < 10; round++) {
            assertThat(second.status().guestAnswers()).as("round %d", round).isTrue();
            second.stop();
            first.start();
        }
    }

    @Test
    void aContainerThatAnotherProcessStartedAgainIsNotTheOneThatEnded() {
        Container here = running(first, "c");
        Container there = second.container("c");
        there.stop();
        there.start();
        assertThat(here.status().state()).isEqualTo(State.RUNNING);
        assertThat(here.exec(ProcessConfig.of("true")).waitFor(SOON).code()).isZero();
        assertThat(there.status().state()).isEqualTo(State.RUNNING);
        there.delete();
        running(second, "c");
        assertThat(here.status().state()).isEqualTo(State.RUNNING);
        assertThat(here.process().isAlive()).isTrue();
    }

    @Test
    void aSandboxThatAnotherProcessDeletedAndMadeAgainIsFound() {
        second.delete();
        two.create(SandboxConfig.builder("d").detached(true).build());
        assertThat(one.status("d").state()).isEqualTo(State.READY);
        assertThat(one.list()).hasSize(1);
        assertThat(one.sandbox("d").state()).isEqualTo(State.READY);
        assertThatThrownBy(first::status).isInstanceOf(NotFoundException.class);
    }

    @Test
    void whatCouldNotBeSavedDoesNotOverwriteWhatOthersWrote() throws IOException {
        Container container = running(first, "c");
        // The document's directory refuses new files: as on a full disk.
        Path blocker = directory.resolve("state/sandboxes/d/sandbox.json.new");
        Files.createDirectories(blocker.resolve("in the way"));
        agents.faults().hang("removeContainer");
        container.kill(io.virtcontainers.Signal.KILL);
        assertThat(container.process().waitFor(SOON).code()).isEqualTo(137);
        assertThat(container.state()).isEqualTo(State.STOPPED); // noted in memory only
        Files.delete(blocker.resolve("in the way"));
        Files.deleteIfExists(blocker); // a save that failed just now removes it itself
        container(second, "more");
        second.annotate(Map.of("by", "two"));
        SandboxStatus status = first.status();
        assertThat(status.containers()).hasSize(2);
        assertThat(status.annotations()).containsEntry("by", "two");
        assertThat(status.containers().get(0).state()).isEqualTo(State.STOPPED);
        agents.faults().heal("removeContainer");
    }

    @Test
    void whatAnEarlierOperationLeftUndoneIsNotDoneToItsSuccessor() throws Exception {
        Container container = running(first, "c");
        Process shim = new ProcessBuilder("sleep", "1000").start();
        container.shim(HostProcess.of(shim.pid()));
        agents.faults().hang("removeContainer");
        shim.destroyForcibly().waitFor();
        assertThat(container.state()).isEqualTo(State.STOPPED);
        agents.faults().heal("removeContainer");
        container.start();
        assertThat(first.status().containers().get(0).state()).isEqualTo(State.RUNNING);
        assertThat(first.status().containers().get(0).state()).isEqualTo(State.RUNNING);
    }

    @Test
    void aRefusedPauseLeavesNothingToDo() {
        Container container = running(first, "c");
        agents.faults().fail("pauseContainer", new AgentException("no freezer"));
        assertThatThrownBy(container::pause).hasMessage("no freezer");
        int resumed = resumes();
        first.status();
        first.annotate(Map.of());
        assertThat(resumes()).isEqualTo(resumed);
    }

    private int resumes() {
        return (int) agents.faults().calls().stream()
                .filter("resumeContainer"::equals)
                .count();
    }

    @Test
    void aDeviceThatCouldNotBeUndoneDoesNotUndoALaterContainer() {
        agents.faults().heal("x");
        hypervisor.faults().after("addDevice", () -> {
            throw new DeadlineExceededException("no answer");
        });
        hypervisor.faults().fail("removeDevice", new DeadlineExceededException("no answer"));
        assertThatThrownBy(() -> first.addDevice(new Device.Block("x", agents(), true)))
                .isInstanceOf(DeadlineExceededException.class);
        hypervisor.faults().heal("addDevice");
        hypervisor.faults().heal("removeDevice");
        running(first, "x");
        assertThat(first.container("x").state()).isEqualTo(State.RUNNING);
        assertThat(first.container("x").state()).isEqualTo(State.RUNNING);
    }

    private Path agents() {
        try {
            return Files.createTempFile(directory, "disk", "");
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void theStatusOfAHungGuestWithManyDeadShimsIsQuick() throws Exception {
        Process shim = new ProcessBuilder("sleep", "1000").start();
        for (int i = 0; i < 5; i++) {
            running(first, "c" + i).shim(HostProcess.of(shim.pid()));
        }
        agents.faults().hang("check");
        agents.faults().hang("removeContainer");
        shim.destroyForcibly().waitFor();
        long begin = System.nanoTime();
        SandboxStatus status = first.status();
        // Not a measurement: without one deadline for all it took more than a minute.
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(10));
        assertThat(status.guestAnswers()).isFalse();
        assertThat(status.containers()).allMatch(container -> container.state() == State.STOPPED);
        agents.faults().heal("check");
        agents.faults().heal("removeContainer");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "../x", "/tmp/x", "a/b"})
    void anIdThatIsAPathNeverReachesTheFileSystem(String id) throws IOException {
        Path outside = Files.createDirectories(directory.resolve("x"));
        assertThatThrownBy(() -> one.cleanup(id)).isInstanceOf(InvalidConfigException.class);
        assertThatThrownBy(() -> one.status(id)).isInstanceOf(InvalidConfigException.class);
        assertThatThrownBy(() -> one.sandbox(id)).isInstanceOf(InvalidConfigException.class);
        assertThat(outside).exists();
        assertThat(first.state()).isEqualTo(State.RUNNING);
    }

    @Test
    void aRemovedLockFileIsAnErrorAndNoFreeForAll() throws IOException {
        Files.delete(directory.resolve("state/locks"));
        assertThatThrownBy(first::status)
                .isInstanceOf(VirtException.class)
                .hasMessageContaining("was removed or replaced");
        assertThatThrownBy(() -> one.create(SandboxConfig.builder("n").build()))
                .hasMessageContaining("was removed or replaced");
        one.close();
        two.close();
        // Nobody uses the old one any more: a new one is made.
        open2();
    }

    private void open2() {
        one = engine(agents);
        two = engine(new FakeAgents());
    }

    @Test
    void oneUnreadableSandboxHindersNoOther() throws IOException {
        Path broken = Files.createDirectories(directory.resolve("state/sandboxes/broken"));
        Files.createDirectory(broken.resolve("sandbox.json"));
        Path torn = Files.createDirectories(directory.resolve("state/sandboxes/torn"));
        Files.writeString(torn.resolve("sandbox.json"), "{\"version\":1,\"config\":null}");
        try (Engine third = engine(new FakeAgents())) {
            assertThat(third.list()).extracting(SandboxStatus::id).containsExactly("d");
            third.cleanup("broken");
            third.cleanup("torn");
            assertThat(broken).doesNotExist();
            assertThat(torn).doesNotExist();
            assertThat(directory.resolve("state/damaged").toFile().list()).hasSize(2);
        }
    }

    @Test
    void aScopedSandboxOfAnotherProcessIsNotCleanedUp() throws IOException {
        Sandbox scoped = one.run(SandboxConfig.builder("s").build());
        Path document = directory.resolve("state/sandboxes/s/sandbox.json");
        String good = Files.readString(document);
        Files.writeString(document, "{\"version\": 99}");
        assertThatThrownBy(() -> two.cleanup("s")).isInstanceOf(SandboxBusyException.class);
        assertThat(document).hasContent("{\"version\": 99}");
        Files.writeString(document, good);
        scoped.delete();
    }
}
