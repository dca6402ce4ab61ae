// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.virtcontainers.Container;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.Signal;
import io.virtcontainers.State;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VmDiedException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The contract of detached sandboxes, seen by two engines on one state directory. An engine passes when a subclass is green. */
public abstract class DetachedTck extends EngineTck {
    private static final SandboxConfig CONFIG =
            config("demo").detached(true).annotations(Map.of("a", "1")).build();

    private Sandbox first;
    private VirtContainers other;

    @BeforeEach
    void boot() {
        first = vc.run(CONFIG);
        other = another();
    }

    @Test
    void itBelongsToNoProcess() {
        SandboxStatus status = first.status();
        assertRuns(status);
        assertThat(status.detached()).isTrue();
        assertThat(status.owner()).isEmpty();
    }

    @Test
    void anotherEngineFetchesItAsItIs() {
        Container container = create(first, "c", "sleep", "1000");
        Sandbox second = other.sandbox("demo");
        assertThat(second.config()).isEqualTo(CONFIG);
        assertThat(second.status()).isEqualTo(first.status());
        assertThat(other.status("demo")).isEqualTo(first.status());
        assertThat(other.list()).containsExactly(first.status());
        assertThat(other.sandboxes()).containsExactly(second);
        assertThat(second.container("c").config()).isEqualTo(container.config());
        assertThat(second.container("c").status()).isEqualTo(container.status());
        assertRuns(second.status());
    }

    @Test
    void whatEachDoesTheOtherSees() {
        Sandbox second = other.sandbox("demo");
        create(second, "c", "sleep", "1000");
        assertThat(first.containers()).extracting(Container::id).containsExactly("c");
        first.container("c").start();
        assertThat(second.container("c").state()).isEqualTo(State.RUNNING);
        second.container("c").pause();
        assertThat(first.container("c").state()).isEqualTo(State.PAUSED);
        first.container("c").resume();
        first.pause();
        assertThat(second.state()).isEqualTo(State.PAUSED);
        second.resume();
        assertRuns(first.status());
        second.annotate(Map.of("b", "2"));
        assertThat(first.annotations()).isEqualTo(Map.of("a", "1", "b", "2"));
        first.container("c")
                .update(Resources.builder().memoryLimit(MemorySize.mib(64)).build());
        assertThat(second.container("c").config().resources().memoryLimit()).hasValue(MemorySize.mib(64));
        create(first, "d", "true");
        assertThat(second.containers()).extracting(Container::id).containsExactly("c", "d");
    }

    @Test
    void processesOfOneAreUsedByTheOther() throws IOException {
        Container container = running(first, "c", "cat");
        GuestProcess further = container.exec(ProcessConfig.of("cat"));
        Container seen = other.sandbox("demo").container("c");
        assertEchoes(seen.process(), "to init\n");
        GuestProcess attached = seen.process(further.id());
        assertEchoes(attached, "to further\n");
        write(further, "written by the first\n");
        assertThat(read(attached, 21)).succeedsWithin(SOON).isEqualTo("written by the first\n");
        attached.stdin().close();
        assertThat(further.waitFor(SOON)).isEqualTo(new ExitStatus(0));
        seen.kill(Signal.KILL);
        assertThat(container.process().waitFor(SOON)).isEqualTo(new ExitStatus(137));
        assertThat(container.status()).isEqualTo(seen.status());
        assertThat(container.state()).isEqualTo(State.STOPPED);
    }

    @Test
    void closingTheEngineLeavesItRunning() throws IOException {
        Container container = running(first, "c", "cat");
        assertEchoes(container.process(), "before\n");
        vc.close();
        assertRuns(other.status("demo"));
        Container seen = other.sandbox("demo").container("c");
        assertThat(seen.state()).isEqualTo(State.RUNNING);
        assertEchoes(seen.process(), "after\n");
    }

    @Test
    void closingItLetsGoOfItAndItCanBeFetchedAgain() {
        CompletableFuture<String> exit = first.onExit();
        first.close();
        first.close();
        assertThat(vc.sandboxes()).isEmpty();
        assertRuns(vc.status("demo"));
        assertThat(exit.isDone() && !exit.isCompletedExceptionally())
                .as("onExit tells of the end of a machine that runs")
                .isFalse();
        Sandbox again = vc.sandbox("demo");
        assertRuns(again.status());
        running(again, "c", "sleep", "1000");
    }

    @Test
    void anExitThatNobodyWaitedForIsNotLost() {
        Container container =
                first.createContainer(container("c").command(exitWith(7)).build());
        container.start();
        vc.close();
        Container seen = other.sandbox("demo").container("c");
        assertThat(seen.process().waitFor(SOON)).isEqualTo(new ExitStatus(7));
        assertThat(seen.state()).isEqualTo(State.STOPPED);
        assertThat(seen.status().exit()).hasValue(new ExitStatus(7));
    }

    @Test
    void theStatusAloneTellsOfAnEndThatNobodySaw() {
        // It ends after the first engine is closed; where that takes longer, this shows less.
        running(first, "c", "sleep", "2");
        vc.close();
        await("the end of the container in the status of another engine")
                .atMost(SOON)
                .untilAsserted(() -> assertThat(other.sandbox("demo").status().containers())
                        .singleElement()
                        .satisfies(status -> {
                            assertThat(status.state()).isEqualTo(State.STOPPED);
                            assertThat(status.exit()).hasValue(new ExitStatus(0));
                        }));
    }

    @Test
    void aContainerThatOneDeletedIsNotFoundByTheOther() {
        Container container = running(first, "c", "sleep", "1000");
        other.sandbox("demo").container("c").delete();
        assertThat(first.containers()).isEmpty();
        assertThatThrownBy(() -> first.container("c")).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(container::status).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(container::start).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> container.exec(ProcessConfig.of("true"))).isInstanceOf(NotFoundException.class);
        container.delete();
        create(first, "c", "true");
    }

    @Test
    void aSandboxThatOneDeletedIsNotFoundByTheOther() {
        Container container = running(first, "c", "sleep", "1000");
        GuestProcess process = container.process();
        CompletableFuture<String> exit = first.onExit();
        other.sandbox("demo").delete();
        assertThatThrownBy(first::status).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(first::start).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> create(first, "d", "true")).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(container::status).isInstanceOf(NotFoundException.class);
        assertThatThrownBy(() -> vc.status("demo")).isInstanceOf(NotFoundException.class);
        assertThat(exit).succeedsWithin(AT_ONCE);
        assertThat(process.onExit().handle((status, error) -> true))
                .as("the end of a process of a deleted sandbox")
                .succeedsWithin(AT_ONCE);
        first.delete();
        first.close();
        assertThat(vc.list()).isEmpty();
    }

    @Test
    void aNewSandboxOfTheSameIdIsNotTheDeletedOne() {
        other.sandbox("demo").delete();
        Sandbox successor = other.create(config("demo").detached(true).build());
        assertThatThrownBy(first::status).isInstanceOf(NotFoundException.class);
        first.delete();
        assertThat(successor.state()).isEqualTo(State.READY);
    }

    @Test
    void aStopByOneIsLearnedByTheOther() {
        GuestProcess process = running(first, "c", "sleep", "1000").process();
        CompletableFuture<String> exit = first.onExit();
        other.sandbox("demo").stop();
        assertStopped(first.status());
        assertThat(exit).succeedsWithin(AT_ONCE).asString().isNotEmpty();
        assertThat(process.onExit().handle((status, error) -> true))
                .as("the end of a process of a stopped sandbox")
                .succeedsWithin(AT_ONCE);
    }

    @Test
    void aSandboxThatOneBootedAgainIsUsedByTheOther() throws IOException {
        Container container = running(first, "c", "cat");
        Sandbox second = other.sandbox("demo");
        second.stop();
        second.start();
        assertRuns(first.status());
        assertThat(container.state()).isEqualTo(State.STOPPED);
        container.start();
        assertEchoes(container.process(), "one\n");
        assertEchoes(second.container("c").exec(ProcessConfig.of("cat")), "two\n");
    }

    @Test
    void aKilledMachineIsStoppedForAll() {
        GuestProcess process = running(first, "c", "sleep", "1000").process();
        Sandbox second = other.sandbox("demo");
        kill(first);
        assertStopped(second.status());
        assertStopped(first.status());
        assertThatThrownBy(() -> process.waitFor(SOON)).isInstanceOf(VmDiedException.class);
        assertStopped(another().status("demo"));
        second.start();
        assertRuns(first.status());
    }

    @Test
    void cleanupRemovesItWhateverItsState() {
        running(first, "c", "sleep", "1000");
        other.cleanup("demo");
        assertThat(other.list()).isEmpty();
        assertThatThrownBy(first::status).isInstanceOf(NotFoundException.class);
        other.cleanup("demo");

        vc.create(config("ready").detached(true).build());
        Sandbox paused = vc.run(config("paused").detached(true).build());
        paused.pause();
        for (String id : List.of("ready", "paused")) {
            other.cleanup(id);
            assertThatThrownBy(() -> vc.status(id)).isInstanceOf(NotFoundException.class);
        }
    }

    @Test
    void severalEnginesUseItAtTheSameTime() throws IOException {
        Container container = running(first, "c", "sleep", "1000");
        for (int i = 0; i < 3; i++) {
            Sandbox seen = another().sandbox("demo");
            GuestProcess cat = seen.container("c").exec(ProcessConfig.of("cat"));
            assertEchoes(cat, "hello\n");
        }
        assertThat(container.pids()).hasSize(4);
    }

    @Test
    void aSandboxThatIsReadyIsStartedByAnother() {
        vc.create(config("ready").detached(true).build());
        vc.close();
        Sandbox seen = other.sandbox("ready");
        assertThat(seen.state()).isEqualTo(State.READY);
        seen.start();
        assertRuns(seen.status());
    }
}
