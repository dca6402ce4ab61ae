// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.ContainerStatus;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HostProcess;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.Sandbox;
import io.virtcontainers.Signal;
import io.virtcontainers.State;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The contract of {@link Container}, in one scoped sandbox per test. An engine passes when a subclass is green. */
public abstract class ContainerTck extends EngineTck {
    private static final Optional<State> NO_STATE = Optional.empty();

    /** How long a process that must not answer is given to do so: too short can only hide a failure, not make one. */
    private static final long SILENCE_MILLIS = 300;

    private Sandbox sandbox;

    @BeforeEach
    void boot() {
        sandbox = sandbox("demo", State.RUNNING);
    }

    /** An operation, the states in which it is legal, and where it leads. */
    private record Step(String name, Set<State> legal, Optional<State> to, ThrowingCallable call) {}

    private static List<Step> steps(Container container) {
        Set<State> live = Set.of(State.RUNNING, State.PAUSED);
        Resources limit = Resources.builder().pidsLimit(50).build();
        return List.of(
                new Step("start", Set.of(State.READY, State.STOPPED), Optional.of(State.RUNNING), container::start),
                new Step("pause", Set.of(State.RUNNING), Optional.of(State.PAUSED), container::pause),
                new Step("resume", Set.of(State.PAUSED), Optional.of(State.RUNNING), container::resume),
                new Step("exec", Set.of(State.RUNNING), NO_STATE, () -> container.exec(ProcessConfig.of("true"))),
                new Step("pids", live, NO_STATE, container::pids),
                new Step("processTable", live, NO_STATE, container::processTable),
                new Step("stats", live, NO_STATE, container::stats),
                new Step(
                        "update",
                        Set.of(State.READY, State.RUNNING, State.PAUSED),
                        NO_STATE,
                        () -> container.update(limit)),
                new Step(
                        "shim",
                        Set.of(State.READY, State.RUNNING, State.PAUSED),
                        NO_STATE,
                        () -> container.shim(HostProcess.current())));
    }

    @TestFactory
    Stream<DynamicTest> whatTheTableOfStatesForbidsIsRefusedAndChangesNothing() {
        return Stream.of(State.values()).flatMap(state -> {
            Container container = container(sandbox, state.toString(), state);
            return steps(container).stream()
                    .filter(step -> !step.legal().contains(state))
                    .map(step -> DynamicTest.dynamicTest(
                            step.name() + " of a container that is " + state,
                            () -> assertRefused(step.name(), state, step.to(), container::status, step.call())));
        });
    }

    @TestFactory
    Stream<DynamicTest> whatTheTableOfStatesAllowsWorks() {
        List<Step> names = steps(container(sandbox, "names", State.READY));
        return Stream.of(State.values())
                .flatMap(state -> IntStream.range(0, names.size())
                        .filter(i -> names.get(i).legal().contains(state))
                        .mapToObj(i -> DynamicTest.dynamicTest(
                                names.get(i).name() + " of a container that is " + state, () -> {
                                    Container container = container(sandbox, "c", state);
                                    Step step = steps(container).get(i);
                                    step.call().call();
                                    assertThat(container.state())
                                            .isEqualTo(step.to().orElse(state));
                                    container.delete();
                                })));
    }

    @TestFactory
    Stream<DynamicTest> stopLeadsToStoppedFromEveryStateAndMayBeRepeated() {
        return Stream.of(State.values())
                .map(state -> DynamicTest.dynamicTest("stop of a container that is " + state, () -> {
                    Container container = container(sandbox, state.toString(), state);
                    container.stop();
                    assertThat(container.state()).isEqualTo(State.STOPPED);
                    ContainerStatus stopped = container.status();
                    container.stop();
                    assertThat(container.status()).isEqualTo(stopped);
                    container.start();
                    assertThat(container.state()).isEqualTo(State.RUNNING);
                }));
    }

    @TestFactory
    Stream<DynamicTest> deleteRemovesAContainerInEveryStateAndMayBeRepeated() {
        return Stream.of(State.values())
                .map(state -> DynamicTest.dynamicTest("delete of a container that is " + state, () -> {
                    Container container = container(sandbox, "c", state);
                    container.delete();
                    assertThat(sandbox.containers()).isEmpty();
                    assertThat(sandbox.status().containers()).isEmpty();
                    assertThatThrownBy(() -> sandbox.container("c")).isInstanceOf(NotFoundException.class);
                    container.delete();
                    // Its id, its name in the guest and its disk are free again.
                    create(sandbox, "c", "true").delete();
                }));
    }

    @Test
    void itsStatusTellsTheTruthAtEveryStep() {
        ContainerConfig config = container("c")
                .command(exitWith(7))
                .annotations(Map.of("a", "1"))
                .build();
        Container container = sandbox.createContainer(config);
        assertThat(container.config()).isEqualTo(config);
        ContainerStatus ready = container.status();
        assertThat(ready.id()).isEqualTo("c");
        assertThat(ready.state()).isEqualTo(State.READY);
        assertThat(ready.startedAt()).isEmpty();
        assertThat(ready.exit()).isEmpty();
        assertThat(ready.shim()).isEmpty();
        assertThat(ready.rootfs()).isEqualTo(config.rootfs());
        assertThat(ready.annotations()).isEqualTo(Map.of("a", "1"));

        container.start();
        container.process().waitFor(SOON);
        ContainerStatus ended = container.status();
        assertThat(ended.state()).as("right after the end of its init process").isEqualTo(State.STOPPED);
        assertThat(ended.exit()).hasValue(new ExitStatus(7));
        assertThat(ended.createdAt()).isEqualTo(ready.createdAt());
        assertThat(ended.startedAt())
                .hasValueSatisfying(started -> assertThat(started).isAfterOrEqualTo(ready.createdAt()));
        assertThat(sandbox.status().containers()).containsExactly(ended);
    }

    @Test
    void aRunningContainerHasNoExitAndAStoppedOneHas() {
        Container container = running(sandbox, "c", "sleep", "1000");
        assertThat(container.status().state()).isEqualTo(State.RUNNING);
        assertThat(container.status().exit()).isEmpty();
        GuestProcess process = container.process();
        container.stop();
        assertThat(process.waitFor(SOON)).isEqualTo(new ExitStatus(137));
        assertThat(container.status().exit()).hasValue(new ExitStatus(137));
    }

    @Test
    void aContainerThatHasEndedIsStartedAgainWithNewStreams() throws IOException {
        Container container = create(sandbox, "c", "cat");
        for (String round : List.of("one\n", "two\n")) {
            container.start();
            assertThat(container.state()).isEqualTo(State.RUNNING);
            assertThat(container.status().exit())
                    .as("the exit while it runs again")
                    .isEmpty();
            GuestProcess process = container.process();
            write(process, round);
            process.stdin().close();
            assertThat(all(process)).isEqualTo(round);
            assertThat(process.waitFor(SOON)).isEqualTo(new ExitStatus(0));
            assertThat(container.state()).isEqualTo(State.STOPPED);
        }
    }

    @Test
    void itsStreamsCanBeUsedBeforeTheStart() throws IOException {
        Container container = create(sandbox, "c", "cat");
        write(container.process(), "early\n");
        container.process().stdin().close();
        container.start();
        assertThat(all(container.process())).isEqualTo("early\n");
    }

    @Test
    void aPausedContainerDoesNothingUntilItIsResumed() throws Exception {
        Container container = running(sandbox, "c", "cat");
        assertEchoes(container.process(), "a\n");
        container.pause();
        write(container.process(), "b\n");
        CompletableFuture<String> answer = read(container.process(), 2);
        assertThatThrownBy(() -> answer.get(SILENCE_MILLIS, TimeUnit.MILLISECONDS))
                .isInstanceOf(TimeoutException.class);
        container.resume();
        assertThat(answer).succeedsWithin(SOON).isEqualTo("b\n");
    }

    @Test
    void killReachesAllProcessesAndNothingAfterTheirEnd() {
        Container container = running(sandbox, "c", "sleep", "1000");
        GuestProcess further = container.exec(ProcessConfig.of("sleep", "1000"));
        container.kill(Signal.KILL);
        assertThat(further.waitFor(SOON)).isEqualTo(new ExitStatus(137));
        assertThat(container.process().waitFor(SOON)).isEqualTo(new ExitStatus(137));
        assertThat(container.state()).isEqualTo(State.STOPPED);
        container.kill(Signal.KILL);
        container.stop();
        container.kill(Signal.TERM);
    }

    @Test
    void aFurtherProcessEndsWithoutItsContainer() throws IOException {
        Container container = running(sandbox, "c", "sleep", "1000");
        GuestProcess echo = container.exec(ProcessConfig.of("echo", "hi"));
        assertThat(all(echo)).isEqualTo("hi\n");
        assertThat(echo.waitFor(SOON)).isEqualTo(new ExitStatus(0));
        GuestProcess failing = container.exec(ProcessConfig.builder(exitWith(7)).build());
        assertThat(failing.waitFor(SOON)).isEqualTo(new ExitStatus(7));
        assertThat(failing.id()).isNotEqualTo(echo.id());
        assertThat(container.state()).isEqualTo(State.RUNNING);
    }

    @Test
    void aProcessIsFoundByItsId() throws IOException {
        Container container = running(sandbox, "c", "cat");
        assertEchoes(container.process("c"), "init\n");
        GuestProcess further = container.exec(ProcessConfig.of("cat"));
        assertEchoes(container.process(further.id()), "further\n");
        further.stdin().close();
        assertThat(container.process(further.id()).waitFor(SOON)).isEqualTo(new ExitStatus(0));
        assertThatThrownBy(() -> container.process("unknown")).isInstanceOf(NotFoundException.class);
    }

    @Test
    void aProgramThatIsNotThereIs127AndItsContainerDoesNotExist() {
        assertThatThrownBy(() -> create(sandbox, "c", "no-such-program"))
                .isInstanceOfSatisfying(
                        CommandNotFoundException.class,
                        e -> assertThat(e.exitCode()).isEqualTo(127));
        assertThat(sandbox.containers()).isEmpty();
        Container container = running(sandbox, "c", "sleep", "1000");
        assertThatThrownBy(() -> container.exec(ProcessConfig.of("no-such-program")))
                .isInstanceOf(CommandNotFoundException.class);
        assertThat(container.state()).isEqualTo(State.RUNNING);
    }

    @Test
    void anIdThatIsTakenIsRefusedAndTheFirstContainerStays() {
        Container first = running(sandbox, "c", "sleep", "1000");
        assertThatThrownBy(() -> create(sandbox, "c", "true")).isInstanceOf(AlreadyExistsException.class);
        assertThat(sandbox.containers()).hasSize(1);
        assertThat(first.state()).isEqualTo(State.RUNNING);
    }

    @Test
    void containersAreListedInTheOrderOfTheirCreation() {
        create(sandbox, "b", "true");
        create(sandbox, "a", "true");
        assertThat(sandbox.containers()).extracting(Container::id).containsExactly("b", "a");
        assertThat(sandbox.status().containers())
                .extracting(ContainerStatus::id)
                .containsExactly("b", "a");
        assertThat(sandbox.container("a").id()).isEqualTo("a");
    }

    @Test
    void pidsAndTheTableShowItsProcesses() {
        Container container = running(sandbox, "c", "sleep", "1234");
        assertThat(container.pids()).hasSize(1);
        container.exec(ProcessConfig.of("sleep", "5678"));
        assertThat(container.pids()).hasSize(2).doesNotHaveDuplicates();
        assertThat(container.processTable()).contains("sleep 1234").contains("sleep 5678");
    }

    @Test
    void anUpdateHoldsFromNowOnAndIsPartOfTheConfiguration() {
        Resources first = Resources.builder().memoryLimit(MemorySize.mib(64)).build();
        Container container = sandbox.createContainer(
                container("c").command("sleep", "1000").resources(first).build());
        container.update(Resources.builder().pidsLimit(60).build());
        container.start();
        assertThat(container.stats().pids().limit()).isEqualTo(60);
        container.update(Resources.builder().pidsLimit(50).build());
        ContainerStats stats = container.stats();
        assertThat(stats.pids().limit()).isEqualTo(50);
        assertThat(stats.memory().limit()).isEqualTo(MemorySize.mib(64).bytes());
        assertThat(container.config().resources())
                .isEqualTo(first.with(Resources.builder().pidsLimit(50).build()));
        container.stop();
        container.start();
        assertThat(container.stats().pids().limit()).as("after a restart").isEqualTo(50);
    }

    @Test
    void statisticsCountItsProcesses() {
        Container container = running(sandbox, "c", "sleep", "1000");
        assertThat(container.stats().pids().current()).isEqualTo(1);
        assertThat(container.stats().memory().usage()).isPositive();
        container.exec(ProcessConfig.of("sleep", "1000"));
        assertThat(container.stats().pids().current()).isEqualTo(2);
        container.pause();
        assertThat(container.stats().pids().current()).as("while paused").isEqualTo(2);
    }

    @Test
    void annotationsAreAddedAndReplaced() {
        Container container = sandbox.createContainer(container("c")
                .command("true")
                .annotations(Map.of("a", "1", "b", "1"))
                .build());
        container.annotate(Map.of("b", "2", "c", "3"));
        assertThat(container.annotations()).isEqualTo(Map.of("a", "1", "b", "2", "c", "3"));
        assertThat(container.status().annotations()).isEqualTo(container.annotations());
    }

    @Test
    void aContainerIsStoppedAsSoonAsItsShimIsDead() throws Exception {
        Container container = running(sandbox, "c", "sleep", "1000");
        Process shim = new ProcessBuilder("sleep", "1000").start();
        HostProcess identity = HostProcess.of(shim.pid());
        try {
            container.shim(identity);
            assertThat(container.status().shim()).hasValue(identity);
            assertThat(container.state()).isEqualTo(State.RUNNING);
        } finally {
            shim.destroyForcibly();
        }
        assertThat(shim.waitFor(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(container.status().state())
                .as("the first status after the end of the shim")
                .isEqualTo(State.STOPPED);
        assertThat(sandbox.state()).isEqualTo(State.RUNNING);
        assertThatThrownBy(() -> create(sandbox, "other", "true").shim(identity))
                .as("a shim that is dead already")
                .isInstanceOf(NotFoundException.class);
    }
}
