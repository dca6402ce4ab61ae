// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CommandResult;
import io.virtcontainers.Container;
import io.virtcontainers.Device;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HostProcess;
import io.virtcontainers.IllegalTransitionException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxBusyException;
import io.virtcontainers.SandboxEvent;
import io.virtcontainers.SandboxStats;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.State;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VmDiedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Flow;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The contract of {@link VirtContainers} and {@link Sandbox} for scoped sandboxes. An engine passes when a subclass is green. */
public abstract class SandboxTck extends EngineTck {
    private static final Optional<State> NO_STATE = Optional.empty();

    @TempDir
    Path files;

    private Path diskImage() {
        try {
            return Files.write(files.resolve("disk"), new byte[1 << 20]);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** An operation, the states in which it is legal, and where it leads. */
    private record Step(String name, Set<State> legal, Optional<State> to, ThrowingCallable call) {}

    private List<Step> steps(Sandbox sandbox) {
        return List.of(
                new Step("start", Set.of(State.READY, State.STOPPED), Optional.of(State.RUNNING), sandbox::start),
                new Step("pause", Set.of(State.RUNNING), Optional.of(State.PAUSED), sandbox::pause),
                new Step("resume", Set.of(State.PAUSED), Optional.of(State.RUNNING), sandbox::resume),
                new Step("createContainer", Set.of(State.RUNNING), NO_STATE, () -> create(sandbox, "refused", "true")),
                new Step(
                        "addDevice",
                        Set.of(State.RUNNING),
                        NO_STATE,
                        () -> sandbox.addDevice(new Device.Block("refused", diskImage(), true))),
                new Step("stats", Set.of(State.RUNNING), NO_STATE, sandbox::stats));
    }

    @TestFactory
    Stream<DynamicTest> whatTheTableOfStatesForbidsIsRefusedAndChangesNothing() {
        return Stream.of(State.values()).flatMap(state -> {
            Sandbox sandbox = sandbox(state.toString(), state);
            return steps(sandbox).stream()
                    .filter(step -> !step.legal().contains(state))
                    .map(step -> DynamicTest.dynamicTest(
                            step.name() + " of a sandbox that is " + state,
                            () -> assertRefused(step.name(), state, step.to(), sandbox::status, step.call())));
        });
    }

    @TestFactory
    Stream<DynamicTest> stopLeadsToStoppedFromEveryStateAndMayBeRepeated() {
        return Stream.of(State.values())
                .map(state -> DynamicTest.dynamicTest("stop of a sandbox that is " + state, () -> {
                    Sandbox sandbox = sandbox(state.toString(), state);
                    sandbox.stop();
                    assertThat(sandbox.state()).isEqualTo(State.STOPPED);
                    assertThat(sandbox.status().hypervisor()).isEmpty();
                    SandboxStatus stopped = sandbox.status();
                    sandbox.stop();
                    assertThat(sandbox.status()).isEqualTo(stopped);
                }));
    }

    @TestFactory
    Stream<DynamicTest> deleteRemovesASandboxInEveryStateAndMayBeRepeated() {
        return Stream.of(State.values())
                .map(state -> DynamicTest.dynamicTest("delete of a sandbox that is " + state, () -> {
                    Sandbox sandbox = sandbox(state.toString(), state);
                    sandbox.delete();
                    assertThat(vc.sandboxes()).doesNotContain(sandbox);
                    assertThat(vc.list()).isEmpty();
                    assertThatThrownBy(() -> vc.status(sandbox.id())).isInstanceOf(NotFoundException.class);
                    assertThatThrownBy(() -> vc.sandbox(sandbox.id())).isInstanceOf(NotFoundException.class);
                    sandbox.delete();
                    sandbox.close();
                    sandbox(state.toString(), State.READY).delete();
                }));
    }

    @Test
    void aCreatedSandboxIsReadyAndRunsNothing() {
        Instant before = Instant.now();
        Sandbox sandbox = vc.create(config("demo").annotations(Map.of("a", "1")).build());
        SandboxStatus status = sandbox.status();
        assertThat(status.id()).isEqualTo("demo");
        assertThat(status.state()).isEqualTo(State.READY);
        assertThat(status.detached()).isFalse();
        assertThat(status.owner()).hasValue(HostProcess.current());
        assertThat(status.hypervisor()).isEmpty();
        assertThat(status.stopReason()).isEmpty();
        assertThat(status.annotations()).isEqualTo(Map.of("a", "1"));
        assertThat(status.containers()).isEmpty();
        assertThat(status.createdAt()).isBetween(before.minusSeconds(1), Instant.now());
        assertThat(sandbox.config())
                .isEqualTo(config("demo").annotations(Map.of("a", "1")).build());
    }

    @Test
    void aStartedSandboxRuns() {
        Sandbox sandbox = vc.create(config("demo").build());
        Instant createdAt = sandbox.status().createdAt();
        sandbox.start();
        assertRuns(sandbox.status());
        assertThat(sandbox.status().createdAt()).isEqualTo(createdAt);
        assertThat(sandbox.onExit()).isNotDone();
        assertThat(sandbox.timeline().phases()).isNotEmpty();
    }

    @Test
    void runCreatesAndStarts() {
        Sandbox sandbox = vc.run(config("demo").build());
        assertRuns(sandbox.status());
        assertThat(vc.sandboxes()).containsExactly(sandbox);
    }

    @Test
    void aStoppedSandboxSaysWhyAndTellsWhoWaits() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        GuestProcess process = running(sandbox, "c", "sleep", "1000").process();
        CompletableFuture<String> exit = sandbox.onExit();
        sandbox.stop();
        assertStopped(sandbox.status());
        assertThat(exit).succeedsWithin(AT_ONCE).asString().isNotEmpty();
        assertThat(process.onExit())
                .as("the process of a stopped sandbox")
                .satisfies(ended -> await().atMost(AT_ONCE).until(ended::isDone));
    }

    @Test
    void aStoppedSandboxIsBootedAgainAndItsContainersCanBeStartedAgain() throws IOException {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        Container container = running(sandbox, "c", "cat");
        assertEchoes(container.process(), "one\n");
        sandbox.stop();
        assertThat(container.state()).isEqualTo(State.STOPPED);
        sandbox.start();
        assertRuns(sandbox.status());
        assertThat(sandbox.onExit()).as("onExit of the new machine").isNotDone();
        assertThat(sandbox.containers()).extracting(Container::id).containsExactly("c");
        assertThat(container.state()).isEqualTo(State.STOPPED);
        container.start();
        assertThat(container.state()).isEqualTo(State.RUNNING);
        assertEchoes(container.process(), "two\n");
        create(sandbox, "more", "true");
    }

    @Test
    void aSandboxThatWasStoppedBeforeItsStartCanBeStarted() {
        Sandbox sandbox = sandbox("demo", State.READY);
        sandbox.stop();
        sandbox.start();
        assertRuns(sandbox.status());
    }

    @Test
    void aPausedSandboxGoesOnWhereItWas() throws IOException {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        Container container = running(sandbox, "c", "cat");
        assertEchoes(container.process(), "before\n");
        sandbox.pause();
        SandboxStatus paused = sandbox.status();
        assertThat(paused.state()).isEqualTo(State.PAUSED);
        assertThat(paused.hypervisor()).isPresent();
        sandbox.resume();
        assertRuns(sandbox.status());
        assertThat(container.state()).isEqualTo(State.RUNNING);
        assertEchoes(container.process(), "after\n");
    }

    @Test
    void theStatusOfAPausedSandboxDoesNotWaitForItsGuest() {
        Sandbox sandbox = sandbox("demo", State.PAUSED);
        assertThat(CompletableFuture.supplyAsync(sandbox::status))
                .succeedsWithin(AT_ONCE)
                .extracting(SandboxStatus::state)
                .isEqualTo(State.PAUSED);
    }

    @Test
    void nothingThatNeedsTheGuestIsPossibleWhileTheSandboxIsPaused() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        Container ready = create(sandbox, "ready", "sleep", "1000");
        Container running = running(sandbox, "running", "sleep", "1000");
        sandbox.pause();
        Map<String, ThrowingCallable> calls = Map.of(
                "start", ready::start,
                "exec", () -> running.exec(ProcessConfig.of("true")),
                "pause", running::pause,
                "pids", running::pids);
        calls.forEach((name, call) -> assertThatThrownBy(call)
                .as("%s of a container in a paused sandbox", name)
                .isInstanceOf(IllegalTransitionException.class));
        sandbox.resume();
        ready.start();
        assertThat(running.pids()).hasSize(1);
    }

    @Test
    void closingASandboxDeletesIt() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        sandbox.close();
        assertThat(vc.list()).isEmpty();
        assertThat(vc.sandboxes()).isEmpty();
        sandbox.close();
    }

    @Test
    void closingTheEngineDeletesItsSandboxes() {
        sandbox("one", State.RUNNING);
        sandbox("two", State.READY);
        vc.close();
        vc.close();
        assertThat(another().list()).isEmpty();
    }

    @Test
    void anIdThatIsTakenIsRefusedAndTheFirstSandboxStays() {
        Sandbox first = sandbox("demo", State.RUNNING);
        assertThatThrownBy(() -> vc.create(config("demo").build())).isInstanceOf(AlreadyExistsException.class);
        assertThatThrownBy(() -> vc.run(config("demo").build())).isInstanceOf(AlreadyExistsException.class);
        VirtContainers second = another();
        assertThatThrownBy(() -> second.create(config("demo").detached(true).build()))
                .isInstanceOf(AlreadyExistsException.class);
        assertRuns(first.status());
    }

    @Test
    void anUnknownIdIsNotFound() {
        assertThatThrownBy(() -> vc.sandbox("none")).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> vc.status("none")).isInstanceOf(NotFoundException.class);
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        assertThatThrownBy(() -> sandbox.container("none")).isInstanceOf(NotFoundException.class);
        vc.cleanup("none");
        assertRuns(sandbox.status());
    }

    @Test
    void theEngineKnowsItsSandboxesInTheOrderOfTheirCreation() {
        Sandbox b = sandbox("b", State.READY);
        Sandbox a = sandbox("a", State.READY);
        assertThat(vc.sandboxes()).containsExactly(b, a);
        assertThat(vc.sandbox("a").status()).isEqualTo(a.status());
        assertThat(vc.list()).containsExactlyInAnyOrder(a.status(), b.status());
        assertThat(vc.status("b")).isEqualTo(b.status());
    }

    @Test
    void annotationsAreAddedAndReplaced() {
        Sandbox sandbox =
                vc.create(config("demo").annotations(Map.of("a", "1", "b", "1")).build());
        assertThat(sandbox.annotations()).isEqualTo(Map.of("a", "1", "b", "1"));
        sandbox.annotate(Map.of("b", "2", "c", "3"));
        assertThat(sandbox.annotations()).isEqualTo(Map.of("a", "1", "b", "2", "c", "3"));
        assertThat(sandbox.status().annotations()).isEqualTo(sandbox.annotations());
    }

    @Test
    void aKilledMachineShowsAtOnceAsAStoppedSandbox() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        Container container = running(sandbox, "c", "sleep", "1000");
        GuestProcess process = container.process();
        kill(sandbox);
        assertStopped(sandbox.status());
        assertThat(container.state()).isEqualTo(State.STOPPED);
        assertThatThrownBy(() -> process.waitFor(SOON)).isInstanceOf(VmDiedException.class);
        assertThat(sandbox.onExit()).succeedsWithin(AT_ONCE).asString().isNotEmpty();
    }

    @Test
    void aSandboxWhoseMachineWasKilledCanBeStartedAgain() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        Container container = running(sandbox, "c", "sleep", "1000");
        kill(sandbox);
        assertThat(sandbox.onExit()).succeedsWithin(AT_ONCE);
        sandbox.start();
        assertRuns(sandbox.status());
        container.start();
        assertThat(container.state()).isEqualTo(State.RUNNING);
    }

    @Test
    void statisticsAreTheHostsAndThoseOfTheRunningContainers() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        running(sandbox, "running", "sleep", "1000");
        create(sandbox, "ready", "sleep", "1000");
        Duration cpuBefore = sandbox.stats().cpu();
        SandboxStats stats = sandbox.stats();
        assertThat(stats.cpu()).isGreaterThanOrEqualTo(cpuBefore);
        assertThat(stats.memoryPss().bytes()).isPositive();
        assertThat(stats.memoryRss()).isGreaterThanOrEqualTo(stats.memoryPss());
        assertThat(stats.vcpus()).isEqualTo(1);
        assertThat(stats.containers()).containsKey("running");
        assertThat(requireNonNull(stats.containers().get("running")).pids().current())
                .isEqualTo(1);
    }

    @Test
    void devicesShareTheirIdsWithContainers() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        Path image = diskImage();
        Device device = new Device.Block("disk", image, true);
        String address = sandbox.addDevice(device);
        assertThat(address).matches("[0-9a-f]{2}/[0-9a-f]{2}");
        assertThatThrownBy(() -> sandbox.addDevice(device)).isInstanceOf(AlreadyExistsException.class);
        assertThatThrownBy(() -> create(sandbox, "disk", "true")).isInstanceOf(AlreadyExistsException.class);
        create(sandbox, "c", "true");
        assertThatThrownBy(() -> sandbox.addDevice(new Device.Block("c", image, true)))
                .isInstanceOf(AlreadyExistsException.class);
        assertThat(sandbox.addDevice(new Device.Block("other", image, true))).isNotEqualTo(address);
        sandbox.removeDevice("disk");
        sandbox.removeDevice("disk");
        assertThat(sandbox.addDevice(device)).isNotEmpty();
    }

    @Test
    void anInterfaceThatTheGuestLacksIsNotFound() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        GuestInterface missing = new GuestInterface("", "eth7", List.of(), 0, "02:00:00:00:00:77", false);
        assertThatThrownBy(() -> sandbox.updateInterface(missing)).isInstanceOf(NotFoundException.class);
        assertThat(sandbox.updateRoutes(List.of())).isEqualTo(sandbox.routes());
    }

    @Test
    void aCommandInASandboxOfItsOwnGivesItsOutputAndLeavesNothing() {
        CommandResult result = vc.runCommand(rootfs(), ProcessConfig.of("echo", "hello"), SOON);
        assertThat(result.stdout()).isEqualTo("hello\n");
        assertThat(result.stderr()).isEmpty();
        assertThat(result.exit()).isEqualTo(new ExitStatus(0));
        ProcessConfig failing = ProcessConfig.builder(exitWith(7)).build();
        assertThat(vc.runCommand(rootfs(), failing, SOON).exitCode()).isEqualTo(7);
        assertThat(vc.list()).isEmpty();
    }

    @Test
    void anotherEngineSeesAScopedSandboxAndNoMore() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        VirtContainers second = another();
        assertThat(second.list()).extracting(SandboxStatus::id).containsExactly("demo");
        SandboxStatus seen = second.status("demo");
        assertThat(seen.state()).isEqualTo(State.RUNNING);
        assertThat(seen.owner()).hasValue(HostProcess.current());
        assertThat(seen.hypervisor()).isEqualTo(sandbox.status().hypervisor());
        assertThatThrownBy(() -> second.sandbox("demo"))
                .isInstanceOfSatisfying(SandboxBusyException.class, this::assertHeldByThisProcess);
        assertThatThrownBy(() -> second.cleanup("demo"))
                .isInstanceOfSatisfying(SandboxBusyException.class, this::assertHeldByThisProcess);
        assertThat(second.sandboxes()).isEmpty();
        second.close();
        assertRuns(sandbox.status());
    }

    private void assertHeldByThisProcess(SandboxBusyException error) {
        assertThat(error.holder()).hasValue(ProcessHandle.current().pid());
    }

    /** Keeps all events until the publisher completes. */
    private static final class Recorder implements Flow.Subscriber<SandboxEvent> {
        private final List<SandboxEvent> events = new CopyOnWriteArrayList<>();
        private final CompletableFuture<List<SandboxEvent>> completed = new CompletableFuture<>();

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(SandboxEvent event) {
            events.add(event);
        }

        @Override
        public void onError(Throwable error) {
            completed.completeExceptionally(error);
        }

        @Override
        public void onComplete() {
            completed.complete(List.copyOf(events));
        }

        /** The states that the sandbox or a container went through. */
        List<String> states(Optional<String> container) {
            return events.stream()
                    .filter(event -> event instanceof SandboxEvent.StateChanged change
                            && change.container().equals(container))
                    .map(event -> (SandboxEvent.StateChanged) event)
                    .map(change -> change.from() + " -> " + change.to())
                    .toList();
        }
    }

    @Test
    void eventsTellTheWholeLifeInOrder() {
        Sandbox sandbox = sandbox("demo", State.READY);
        Recorder recorder = new Recorder();
        sandbox.events().subscribe(recorder);
        sandbox.start();
        Container container = running(sandbox, "c", "sleep", "1000");
        GuestProcess further = container.exec(ProcessConfig.of("true"));
        further.waitFor(SOON);
        container.pause();
        container.resume();
        sandbox.pause();
        sandbox.resume();
        container.stop();
        sandbox.delete();
        assertThat(recorder.completed).as("the end of the events").succeedsWithin(AT_ONCE);
        assertThat(recorder.states(Optional.empty()))
                .as("of the sandbox, in %s", recorder.events)
                .containsExactly("ready -> running", "running -> paused", "paused -> running", "running -> stopped");
        assertThat(recorder.states(Optional.of("c")))
                .as("of the container, in %s", recorder.events)
                .containsExactly("ready -> running", "running -> paused", "paused -> running", "running -> stopped");
        assertThat(recorder.events)
                .contains(new SandboxEvent.ProcessExited("demo", "c", further.id(), new ExitStatus(0)))
                .contains(new SandboxEvent.ProcessExited("demo", "c", "c", new ExitStatus(137)))
                .endsWith(new SandboxEvent.Deleted("demo"))
                .satisfiesOnlyOnce(event -> assertThat(event).isInstanceOf(SandboxEvent.VmEnded.class));
    }

    @Test
    void eventsTellOfAProcessThatEndsAndOfAMachineThatDiesOnTheirOwn() {
        Sandbox sandbox = sandbox("demo", State.RUNNING);
        Recorder recorder = new Recorder();
        sandbox.events().subscribe(recorder);
        Container container =
                sandbox.createContainer(container("c").command(exitWith(7)).build());
        container.start();
        await().atMost(SOON)
                .until(() ->
                        recorder.events.contains(new SandboxEvent.ProcessExited("demo", "c", "c", new ExitStatus(7))));
        await().atMost(AT_ONCE).until(() -> recorder.states(Optional.of("c")).contains("running -> stopped"));
        kill(sandbox);
        await().atMost(AT_ONCE).until(() -> recorder.events.stream().anyMatch(SandboxEvent.VmEnded.class::isInstance));
        await().atMost(AT_ONCE).until(() -> recorder.states(Optional.empty()).contains("running -> stopped"));
        assertThat(recorder.completed).isNotDone();
    }

    @Test
    void aWholeLifeLeavesNothingBehind() {
        // A backend may start the threads of its pool one by one.
        for (int i = 0; i < 4; i++) {
            live("warm-up");
        }
        Leaks before = Leaks.snapshot(stateDirectory());
        live("again");
        Leaks.none(before);
    }

    private void live(String id) {
        Sandbox sandbox = sandbox(id, State.RUNNING);
        Container container = running(sandbox, "c", "sleep", "1000");
        container.exec(ProcessConfig.of("true")).waitFor(SOON);
        container.stop();
        container.start();
        sandbox.delete();
    }
}
