// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.virtcontainers.AgentException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.HostProcess;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.State;
import io.virtcontainers.VirtException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.testkit.FakeAgents;
import io.virtcontainers.testkit.FakeGuestImages;
import io.virtcontainers.testkit.FakeHypervisor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A test for each class of bugs of Kata Containers 1.x that concerns the life cycle. That it cannot leave a hypervisor, a
 * mount or a helper behind is tested step by step in {@link FaultsAtEveryStepTest}; what it forgot to persist, and its torn
 * files, in {@code SandboxStoreTest}; its locks in {@code SandboxLocksTest}.
 */
@Timeout(60)
class UpstreamBugsTest {
    private static final Duration SOON = Duration.ofSeconds(30);

    @TempDir
    Path directory;

    private final FakeHypervisor hypervisor = FakeHypervisor.withProcesses();
    private final FakeAgents agents = new FakeAgents();
    private Engine engine;

    @BeforeEach
    void open() {
        engine = open(agents);
    }

    private Engine open(FakeAgents connector) {
        return Engine.open(
                directory.resolve("state"), () -> new Backends(hypervisor, connector, new FakeGuestImages()));
    }

    @AfterEach
    void close() {
        engine.list().stream().filter(SandboxStatus::detached).forEach(status -> engine.cleanup(status.id()));
        engine.close();
    }

    private Sandbox run(String id) {
        return engine.run(SandboxConfig.builder(id).build());
    }

    private Container running(Sandbox sandbox, String id) {
        Container container = container(sandbox, id);
        container.start();
        return container;
    }

    private Container container(Sandbox sandbox, String id) {
        return sandbox.createContainer(ContainerConfig.builder(id)
                .rootfs(RootFs.directory(directory))
                .command("sleep", "1000")
                .build());
    }

    /** Its issue 926: the caller was told "running", and never deleted the container. */
    @Test
    void theStatusThatNoticesADeadShimSaysStoppedAndReleases() throws Exception {
        Sandbox sandbox = run("s");
        Container container = running(sandbox, "c");
        Process shim = new ProcessBuilder("sleep", "1000").start();
        container.shim(HostProcess.of(shim.pid()));
        assertThat(container.status().shim()).contains(HostProcess.of(shim.pid()));
        shim.destroyForcibly().waitFor();
        assertThat(container.status().state()).isEqualTo(State.STOPPED);
        assertThat(hypervisor.machines().get(0).disks()).isEmpty();
        assertThat(agents.agents().get(0).containers()).isEmpty();
        assertThatThrownBy(() -> container.shim(HostProcess.current())).hasMessageContaining("is stopped");
        container.delete();
    }

    @Test
    void theStatusThatNoticesADeadHypervisorSaysStoppedForAll() {
        Sandbox sandbox = run("s");
        running(sandbox, "c");
        hypervisor.machines().get(0).die("killed");
        SandboxStatus status = sandbox.status();
        assertThat(status.state()).isEqualTo(State.STOPPED);
        assertThat(status.stopReason()).isPresent();
        assertThat(status.containers()).allMatch(container -> container.state() == State.STOPPED);
    }

    /** 13.2, 5: a hung agent blocked the exclusive lock, and then every status. */
    @Test
    void aHungGuestDoesNotHangStatus() throws Exception {
        Sandbox sandbox = run("s");
        Container container = running(sandbox, "c");
        Process shim = new ProcessBuilder("sleep", "1000").start();
        container.shim(HostProcess.of(shim.pid()));
        agents.faults().hang("check");
        agents.faults().hang("removeContainer");
        assertThat(sandbox.status().guestAnswers()).isFalse();
        assertThat(sandbox.status().state()).isEqualTo(State.RUNNING);
        shim.destroyForcibly().waitFor();
        assertThat(container.status().state()).isEqualTo(State.STOPPED);
        assertThat(hypervisor.machines().get(0).disks()).as("not released yet").hasSize(1);
        agents.faults().heal("check");
        agents.faults().heal("removeContainer");
        assertThat(sandbox.status().guestAnswers()).isTrue();
        assertThat(hypervisor.machines().get(0).disks())
                .as("released by the next")
                .isEmpty();
    }

    /** 13.2, 5 and 7: long operations held the lock. */
    @Test
    void anOperationThatHangsInTheGuestCanBeInterruptedAndGivesTheLockBack() throws Exception {
        Sandbox sandbox = run("s");
        Container container = running(sandbox, "c");
        agents.faults().hang("removeContainer");
        CompletableFuture<Throwable> outcome = new CompletableFuture<>();
        Thread stopping = new Thread(() -> outcome.complete(catchThrowable(container::stop)));
        stopping.start();
        agents.faults().reached("removeContainer").get(30, TimeUnit.SECONDS);
        stopping.interrupt();
        assertThat(outcome.get(30, TimeUnit.SECONDS)).isInstanceOf(CancelledException.class);
        agents.faults().heal("removeContainer");
        assertThat(container.state()).isEqualTo(State.STOPPED);
    }

    /** 13.2, 6: one failed dial marked the agent dead for ever. */
    @Test
    void oneFailedConnectionDoesNotCondemnTheGuest() {
        engine.run(SandboxConfig.builder("d").detached(true).build());
        FakeAgents others = new FakeAgents();
        try (Engine other = open(others)) {
            others.faults().fail("awaitReady", new AgentException("refused, once"));
            Sandbox fetched = other.sandbox("d");
            assertThat(fetched.status().guestAnswers()).isFalse();
            assertThat(fetched.status().state()).isEqualTo(State.RUNNING);
            others.faults().heal("awaitReady");
            assertThat(fetched.status().guestAnswers()).isTrue();
        }
    }

    /** 13.2, 7: one mutex for everything. */
    @Test
    void waitingForAProcessHindersNothingElse() throws Exception {
        Sandbox sandbox = run("s");
        Container container = running(sandbox, "c");
        CompletableFuture<?> waiting =
                CompletableFuture.supplyAsync(() -> container.process().waitFor(SOON));
        assertThat(container.exec(ProcessConfig.of("true")).waitFor(SOON).code())
                .isZero();
        assertThat(sandbox.status().state()).isEqualTo(State.RUNNING);
        container(sandbox, "more").delete();
        container.stop();
        waiting.get(30, TimeUnit.SECONDS);
    }

    @Test
    void aSandboxThatHangsInItsBootHindersNoOther() throws Exception {
        Sandbox other = run("other");
        agents.faults().hang("awaitReady");
        CompletableFuture<Throwable> booting = CompletableFuture.supplyAsync(() -> catchThrowable(() -> run("hangs")));
        agents.faults().reached("awaitReady").get(30, TimeUnit.SECONDS);
        running(other, "c").exec(ProcessConfig.of("true")).waitFor(SOON);
        assertThat(other.state()).isEqualTo(State.RUNNING);
        other.delete();
        engine.sandbox("hangs").delete();
        assertThat(booting.get(30, TimeUnit.SECONDS)).isInstanceOf(VmDiedException.class);
    }

    /** 13.2, 9: the crash of a machine was reported as exit code 0. */
    @Test
    void theDeathOfTheMachineIsNeverAnExitCode() {
        Sandbox sandbox = run("s");
        Container container = running(sandbox, "c");
        var process = container.process();
        hypervisor.machines().get(0).die("crashed");
        assertThatThrownBy(() -> process.waitFor(SOON)).isInstanceOf(VmDiedException.class);
        assertThat(container.status().exit()).isEmpty();
    }

    /** 13.3, 13: sockets that every process of the host could reach. */
    @Test
    void whatASandboxKeepsIsPrivate() throws IOException {
        run("s");
        try (Stream<Path> files = Files.walk(directory.resolve("state"))) {
            for (Path file : files.toList()) {
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                        .as(file.toString())
                        .isIn(Files.isDirectory(file) ? List.of("rwx------") : List.of("rw-------", "rw-r--r--"));
            }
        }
        assertThat(PosixFilePermissions.toString(
                        Files.getPosixFilePermissions(directory.resolve("state/sandboxes/s/sandbox.json"))))
                .isEqualTo("rw-------");
    }

    /** 13.3, 19: creation took no lock. */
    @Test
    void ofManyThatCreateTheSameIdOneWins() throws Exception {
        try (Engine other = open(agents)) {
            for (int round = 0; round < 30; round++) {
                String id = "s" + round;
                CyclicBarrier start = new CyclicBarrier(4);
                List<CompletableFuture<Integer>> creators = IntStream.range(0, 4)
                        .mapToObj(i -> CompletableFuture.supplyAsync(() -> {
                            try {
                                start.await();
                                (i % 2 == 0 ? engine : other)
                                        .create(SandboxConfig.builder(id).build());
                                return 1;
                            } catch (AlreadyExistsException e) {
                                return 0;
                            } catch (Exception e) {
                                throw new AssertionError(e);
                            }
                        }))
                        .toList();
                int winners = 0;
                for (CompletableFuture<Integer> creator : creators) {
                    winners += creator.get(30, TimeUnit.SECONDS);
                }
                assertThat(winners).isEqualTo(1);
            }
        }
    }

    /** 13.3, 19: the lock was on the directory that delete removes. */
    @Test
    void whoWaitsForTheLockOfASandboxThatIsDeletedLearnsThatItIsGone() throws Exception {
        engine.run(SandboxConfig.builder("d").detached(true).build());
        try (Engine other = open(new FakeAgents())) {
            Sandbox there = other.sandbox("d");
            Sandbox here = engine.sandbox("d");
            hypervisor.faults().hang("stop");
            CompletableFuture<Throwable> deleting = CompletableFuture.supplyAsync(() -> catchThrowable(here::delete));
            hypervisor.faults().reached("stop").get(30, TimeUnit.SECONDS);
            CompletableFuture<Throwable> waiting =
                    CompletableFuture.supplyAsync(() -> catchThrowable(() -> there.annotate(java.util.Map.of())));
            hypervisor.faults().heal("stop");
            assertThat(deleting.get(40, TimeUnit.SECONDS)).isInstanceOf(VirtException.class); // the machine did not end
            here.delete();
            Throwable outcome = waiting.get(40, TimeUnit.SECONDS);
            // It got the lock between the two, or after them.
            assertThat(outcome == null || outcome instanceof NotFoundException)
                    .as(String.valueOf(outcome))
                    .isTrue();
            assertThatThrownBy(there::status).isInstanceOf(NotFoundException.class);
        }
    }

    /** 1.7: an unknown container was an empty status and no error. */
    @Test
    void whatIsUnknownIsATypedError() {
        Sandbox sandbox = run("s");
        assertThatThrownBy(() -> engine.status("nobody"))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining("nobody");
        assertThatThrownBy(() -> sandbox.container("nobody")).isInstanceOf(NotFoundException.class);
        Container container = container(sandbox, "c");
        container.delete();
        assertThatThrownBy(container::status).isInstanceOf(NotFoundException.class);
        container.delete();
    }
}
