// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import static io.virtcontainers.testkit.TestMachines.soon;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AgentException;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Device;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestPath;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Resources;
import io.virtcontainers.RootFs;
import io.virtcontainers.Signal;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestSandbox;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the fakes do beyond the contract of what they stand for. */
class FakesTest {
    @TempDir
    Path directory;

    private final FakeHypervisor hypervisor = new FakeHypervisor();
    private final FakeAgents agents = new FakeAgents();
    private FakeVirtualMachine machine;
    private FakeAgent agent;

    @BeforeEach
    void launch() {
        machine = TestMachines.launch(hypervisor, directory);
        agent = connect(0);
        agent.createSandbox("demo", "demo", soon());
    }

    @AfterEach
    void stop() {
        machine.die("the test is over");
    }

    @Test
    void tellsWhatItsGuestWasTold() throws Exception {
        assertThat(agent.sandbox()).contains(GuestSandbox.of("demo", "demo"));
        GuestPath target = GuestPath.of("/run/kata-containers/file");
        agent.copyFile(Files.writeString(directory.resolve("file"), "text"), target, soon());
        assertThat(agent.file(target).orElseThrow()).asString().isEqualTo("text");
        agent.setTime(Instant.ofEpochSecond(7), soon());
        assertThat(agent.time()).contains(Instant.ofEpochSecond(7));
        agent.reseedRandom(soon());
        assertThat(agent.reseedings()).isEqualTo(1);
        agent.destroySandbox(soon());
        assertThat(agent.sandbox()).isEmpty();
    }

    private FakeAgent connect(int channel) {
        return (FakeAgent) agents.connect(machine.channels().get(channel));
    }

    private GuestProcess running(String id, String... command) {
        String device = machine.addDevice(new Device.Block(id, TestMachines.DISK, true), soon());
        ContainerConfig config = ContainerConfig.builder(id)
                .rootfs(RootFs.image(TestMachines.DISK))
                .command(command)
                .resources(Resources.builder().memoryLimit(MemorySize.mib(100)).build())
                .build();
        agent.createContainer(config, device, soon());
        agent.startContainer(id, soon());
        return agent.process(id, id, false);
    }

    private static Deadline shortly() {
        return Deadline.after(Duration.ofMillis(100));
    }

    @Test
    void aLaunchLeavesAFileThatOnlyItsOwnerDeletes() {
        machine.stop(soon());
        hypervisor.reap(directory, soon());
        assertThat(directory.resolve("fake-vm")).hasContent("demo");
        TestMachines.launch(hypervisor, directory).stop(soon());
    }

    @Test
    void aSecondMachineInADirectoryIsRefused() {
        assertThatThrownBy(() -> TestMachines.launch(new FakeHypervisor(), directory))
                .isInstanceOf(HypervisorException.class);
        assertThat(machine.isAlive()).isTrue();
    }

    @Test
    void aGuestOfAPausedMachineAnswersAgainWhenItIsResumed() throws Exception {
        GuestProcess cat = running("c", "cat");
        machine.pause(soon());
        assertThatThrownBy(() -> agent.pids("c", shortly())).isInstanceOf(DeadlineExceededException.class);
        assertThatThrownBy(() -> machine.removeDevice("c", shortly())).isInstanceOf(DeadlineExceededException.class);
        CompletableFuture<List<Long>> late = CompletableFuture.supplyAsync(() -> agent.pids("c", soon()));
        machine.resume(soon());
        assertThat(late.get(20, TimeUnit.SECONDS)).hasSize(1);
        cat.stdin().close();
        assertThat(cat.waitFor(Duration.ofSeconds(20)).code()).isZero();
    }

    @Test
    void aDeadMachineIsSilentUntilTheConnectionIsAborted() throws Exception {
        GuestProcess cat = running("c", "cat");
        machine.die("killed by signal 9");
        assertThatThrownBy(() -> agent.pids("c", shortly())).isInstanceOf(DeadlineExceededException.class);
        assertThat(cat.isAlive()).isTrue();
        CompletableFuture<Void> call = CompletableFuture.runAsync(() -> agent.check(soon()));
        agent.abort(new VmDiedException("killed by signal 9"));
        assertThat(call)
                .failsWithin(Duration.ofSeconds(20))
                .withThrowableThat()
                .withCauseInstanceOf(VmDiedException.class);
        assertThatThrownBy(() -> cat.stdout().read()).isInstanceOf(IOException.class);
    }

    @Test
    void anIdleContainerHasNoThreadAndARunningOneHasOneUntilTheMachineDies() {
        Leaks before = Leaks.snapshot();
        String device = machine.addDevice(new Device.Block("c", TestMachines.DISK, true), soon());
        ContainerConfig config = ContainerConfig.builder("c")
                .rootfs(RootFs.image(TestMachines.DISK))
                .command("sleep")
                .build();
        agent.createContainer(config, device, soon());
        Leaks.none(before, Duration.ofMillis(50));
        agent.startContainer("c", soon());
        assertThatThrownBy(() -> Leaks.none(before, Duration.ofMillis(50))).hasMessageContaining("fake-process-c");
        machine.die("gone");
        Leaks.none(before);
    }

    @Test
    void aChannelBehindWhichNoMachineIsAnswersNobody() {
        FakeVirtualMachine dead = machine;
        dead.die("gone");
        Agent lost = agents.connect(dead.channels().get(0));
        assertThatThrownBy(() -> lost.awaitReady(shortly())).isInstanceOf(DeadlineExceededException.class);
    }

    @Test
    void aFaultComesBeforeTheActAndAnAfterBehindIt() {
        AtomicReference<List<String>> seen = new AtomicReference<>(List.of());
        running("first", "sleep");
        agents.faults().before("removeContainer", () -> seen.set(agent.containers()));
        agent.removeContainer("first", soon());
        assertThat(seen.get()).containsExactly("first");
        agents.faults().heal("removeContainer");
        running("second", "sleep");
        agents.faults().after("removeContainer", () -> seen.set(agent.containers()));
        agent.removeContainer("second", soon());
        assertThat(seen.get()).isEmpty();
        assertThat(agents.faults().calls()).startsWith("connect", "createSandbox", "createContainer", "startContainer");
        assertThat(hypervisor.faults().calls()).containsExactly("launch", "addDevice", "addDevice");
    }

    @Test
    void aFailureThatIsScriptedPreventsTheActUntilItIsHealed() {
        agents.faults().fail("createSandbox", new AgentException("no"));
        assertThatThrownBy(() -> agent.createSandbox("x", "x", soon())).hasMessage("no");
        agents.faults().heal("createSandbox");
        agent.destroySandbox(soon());
        agent.createSandbox("x", "x", soon());
        hypervisor.faults().fail("addDevice", new HypervisorException("no"));
        assertThatThrownBy(() -> machine.addDevice(new Device.Block("d", TestMachines.DISK, true), soon()))
                .hasMessage("no");
        assertThat(machine.disks()).isEmpty();
    }

    @Test
    void aHangEndsWithItsDeadlineItsAgentOrItsMachine() throws Exception {
        agents.faults().hang("check");
        assertThatThrownBy(() -> agent.check(shortly())).isInstanceOf(DeadlineExceededException.class);
        CompletableFuture<Void> reached = agents.faults().reached("check");
        CompletableFuture<Void> check = CompletableFuture.runAsync(() -> agent.check(soon()));
        reached.get(20, TimeUnit.SECONDS);
        agent.close();
        assertThat(check)
                .failsWithin(Duration.ofSeconds(20))
                .withThrowableThat()
                .withCauseInstanceOf(AgentException.class);

        hypervisor.faults().hang("isPaused");
        assertThatThrownBy(() -> machine.isPaused(shortly())).isInstanceOf(DeadlineExceededException.class);
        CompletableFuture<Boolean> paused = CompletableFuture.supplyAsync(() -> machine.isPaused(soon()));
        machine.die("gone");
        assertThat(paused)
                .failsWithin(Duration.ofSeconds(20))
                .withThrowableThat()
                .withCauseInstanceOf(VmDiedException.class);
    }

    @Test
    void anAbortEndsACallWhoseScriptDoesNotReturn() throws Exception {
        CompletableFuture<Void> never = new CompletableFuture<>();
        agents.faults().before("check", never::join);
        CompletableFuture<Void> reached = agents.faults().reached("check");
        CompletableFuture<Void> check = CompletableFuture.runAsync(() -> agent.check(soon()));
        reached.get(20, TimeUnit.SECONDS);
        agent.abort(new VmDiedException("gone"));
        assertThat(check)
                .failsWithin(Duration.ofSeconds(20))
                .withThrowableThat()
                .withCauseInstanceOf(VmDiedException.class);
        never.complete(null);
    }

    @Test
    void outOfMemoryIsReportedToAllConnections() {
        FakeAgent second = connect(1);
        second.awaitReady(soon());
        CompletableFuture<String> one = new CompletableFuture<>();
        CompletableFuture<String> two = new CompletableFuture<>();
        agent.onOutOfMemory(one::complete);
        second.onOutOfMemory(two::complete);
        running("c", "sleep");
        agent.outOfMemory("c");
        assertThat(one).succeedsWithin(Duration.ofSeconds(20)).isEqualTo("c");
        assertThat(two).succeedsWithin(Duration.ofSeconds(20)).isEqualTo("c");
    }

    @Test
    void limitsAndStatisticsCanBeReadAndScripted() {
        running("c", "sleep");
        agent.updateContainer("c", Resources.builder().pidsLimit(7).build(), soon());
        assertThat(agent.resources("c"))
                .isEqualTo(Resources.builder()
                        .memoryLimit(MemorySize.mib(100))
                        .pidsLimit(7)
                        .build());
        ContainerStats real = agent.stats("c", soon());
        ContainerStats scripted = new ContainerStats(
                real.cpu(), real.memory(), new ContainerStats.Pids(3, 4), List.of(), Map.of(), List.of());
        agent.stats("c", scripted);
        assertThat(agent.stats("c", soon())).isEqualTo(scripted);
    }

    @Test
    void theNetworkKeepsWhatItIsTold() {
        GuestInterface old = agent.interfaces(soon()).get(0);
        GuestInterface wanted = new GuestInterface("", "net1", List.of("10.0.0.2/24"), 0, old.hardwareAddress(), false);
        GuestInterface now = agent.updateInterface(wanted, soon());
        assertThat(now.addresses()).containsExactly("10.0.0.2/24");
        assertThat(now.mtu()).isEqualTo(old.mtu());
        assertThat(agent.interfaces(soon())).containsExactly(now);
        GuestRoute route = new GuestRoute("", "10.0.0.1", "net1", "", 0);
        agent.updateRoutes(List.of(route), soon());
        assertThat(connect(1).routes(soon())).containsExactly(route);
        GuestNeighbor neighbor = new GuestNeighbor("10.0.0.1", "net1", "02:00:00:00:00:01", 0x80, 0);
        agent.addNeighbors(List.of(neighbor), soon());
        assertThat(agent.neighbors()).containsExactly(neighbor);
    }

    @Test
    void aSignalToAPausedContainerWaitsUnlessItKills() throws Exception {
        GuestProcess cat = running("c", "cat");
        agent.pauseContainer("c", soon());
        cat.signal(Signal.TERM);
        assertThat(agent.exitOf("c", "c", soon())).isEmpty();
        agent.resumeContainer("c", soon());
        assertThat(cat.waitFor(Duration.ofSeconds(20)).code()).isEqualTo(143);
        GuestProcess other = running("d", "cat");
        agent.pauseContainer("d", soon());
        other.signal(Signal.KILL);
        assertThat(other.waitFor(Duration.ofSeconds(20)).code()).isEqualTo(137);
    }

    @Test
    void aStoppedProcessContinuesWhereItWas() throws Exception {
        GuestProcess cat = running("c", "cat");
        cat.signal(Signal.STOP);
        cat.stdin().write("x".getBytes(UTF_8));
        cat.stdin().close();
        assertThat(agent.exitOf("c", "c", soon())).isEmpty();
        cat.signal(Signal.CONT);
        assertThat(cat.waitFor(Duration.ofSeconds(20)).code()).isZero();
        assertThat(cat.stdout().readAllBytes()).isEqualTo("x".getBytes(UTF_8));
    }
}
