// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AgentException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestPath;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.RootFs;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.VirtException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestDetails;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The contract of {@link Agent}, line by line. A backend passes when a subclass with its own agent is green. All tests
 * share one machine; what they run is both in busybox and in the fakes: true, false, echo, cat, sleep.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(value = 5, unit = TimeUnit.MINUTES)
public abstract class AgentTck {
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final Duration AT_ONCE = Duration.ofSeconds(10);

    /** How long a process that must not answer is given to do so: too short can only hide a failure, not make one. */
    private static final long SILENCE_MILLIS = 300;

    private static final int MEBIBYTE = 1 << 20;

    private final List<String> created = new ArrayList<>();
    private final List<String> disks = new ArrayList<>();
    private final List<Agent> connected = new ArrayList<>();
    private int count;
    private AgentSession session;
    private Agent agent;

    /** Starts a machine and its agent. */
    protected abstract AgentSession open();

    /** A command that does nothing but end with this exit code. */
    protected abstract List<String> exitWith(int code);

    @BeforeAll
    void boot() {
        session = open();
        Agent first = session.connect(0);
        first.awaitReady(soon());
        first.createSandbox("tck", "tck", soon());
        first.close();
    }

    @AfterAll
    void end() {
        session.close();
    }

    @BeforeEach
    void connect() {
        agent = connect(0);
    }

    @AfterEach
    void removeContainers() {
        try {
            Agent last = connect(2);
            created.forEach(id -> last.removeContainer(id, soon()));
            disks.forEach(session::unplugRootfs);
        } finally {
            created.clear();
            disks.clear();
            connected.forEach(Agent::close);
            connected.clear();
        }
    }

    private Agent connect(int channel) {
        Agent connection = session.connect(channel);
        connected.add(connection);
        connection.awaitReady(soon());
        return connection;
    }

    private static Deadline soon() {
        return Deadline.after(SOON);
    }

    /** Creates a container; gives back its id. */
    private String create(String... command) {
        String id = "c" + ++count;
        create(id, List.of(command));
        return id;
    }

    private void create(String id, List<String> command) {
        String disk = "disk" + ++count;
        disks.add(disk);
        String device = session.plugRootfs(disk);
        created.add(id);
        ContainerConfig config = ContainerConfig.builder(id)
                .rootfs(RootFs.image(Path.of("/the-session-knows")))
                .command(command)
                .build();
        agent.createContainer(config, device, soon());
    }

    private String running(String... command) {
        String id = create(command);
        agent.startContainer(id, soon());
        return id;
    }

    private GuestProcess init(String id) {
        return agent.process(id, id, false);
    }

    private GuestProcess exec(String id, String execId, String... command) {
        return agent.exec(id, execId, ProcessConfig.of(command), soon());
    }

    private static String all(InputStream stream) throws IOException {
        return new String(stream.readAllBytes(), UTF_8);
    }

    private static CompletableFuture<String> readLine(GuestProcess process, int length) {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return new String(process.stdout().readNBytes(length), UTF_8);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static void write(GuestProcess process, String text) throws IOException {
        process.stdin().write(text.getBytes(UTF_8));
        process.stdin().flush();
    }

    @Test
    void itAnswersEachCheck() {
        agent.check(soon());
        agent.check(soon());
    }

    @Test
    void aContainerRunsFromItsStartToItsExitCode() {
        String id = "c" + ++count;
        create(id, exitWith(7));
        assertThat(init(id).onExit()).isNotDone();
        assertThat(agent.exitOf(id, id, soon())).isEmpty();
        agent.startContainer(id, soon());
        GuestProcess process = init(id);
        assertThat(process.id()).isEqualTo(id);
        assertThat(process.waitFor(SOON)).isEqualTo(new ExitStatus(7));
        assertThat(process.isAlive()).isFalse();
        assertThat(process.onExit()).isCompletedWithValue(new ExitStatus(7));
    }

    @Test
    void itsStreamsCanBeUsedBeforeTheStart() throws IOException {
        String id = create("cat");
        GuestProcess process = init(id);
        write(process, "early\n");
        agent.startContainer(id, soon());
        process.stdin().close();
        assertThat(all(process.stdout())).isEqualTo("early\n");
        assertThat(process.waitFor(SOON).code()).isZero();
    }

    @Test
    void moreThanAnyPipeHoldsGoesThroughUnchanged() throws Exception {
        GuestProcess cat = init(running("cat"));
        byte[] sent = new byte[3 * MEBIBYTE + 1];
        new Random(42).nextBytes(sent);
        CompletableFuture<Void> writer = CompletableFuture.runAsync(() -> {
            try (OutputStream stdin = cat.stdin()) {
                stdin.write(sent);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        assertThat(cat.stdout().readAllBytes()).isEqualTo(sent);
        writer.get(SOON.toSeconds(), TimeUnit.SECONDS);
        assertThat(cat.waitFor(SOON).code()).isZero();
    }

    @Test
    void standardErrorIsAStreamOfItsOwn() throws IOException {
        GuestProcess process = exec(running("sleep", "1000"), "failing", "cat", "/missing");
        assertThat(all(process.stdout())).isEmpty();
        assertThat(all(process.stderr())).contains("/missing").contains("No such file");
        assertThat(process.waitFor(SOON).code()).isEqualTo(1);
    }

    @Test
    void outputCanBeReadAfterTheEndOfItsProcess() throws IOException {
        GuestProcess process = exec(running("sleep", "1000"), "echo", "echo", "hi");
        process.waitFor(SOON);
        assertThat(all(process.stdout())).isEqualTo("hi\n");
        assertThat(process.stdout().read()).isEqualTo(-1);
        assertThat(all(process.stderr())).isEmpty();
    }

    @Test
    void aProcessThatHasEndedTakesNoInput() {
        GuestProcess process = exec(running("sleep", "1000"), "ended", "true");
        process.waitFor(SOON);
        assertThatThrownBy(() -> write(process, "too late\n")).isInstanceOf(IOException.class);
    }

    @Test
    void aTerminalHasOneOutputAndASize() throws IOException {
        ProcessConfig config =
                ProcessConfig.builder("cat").terminal(new TerminalSize(24, 80)).build();
        GuestProcess process = agent.exec(running("sleep", "1000"), "terminal", config, soon());
        write(process, "hi\n");
        assertThat(readLine(process, 2)).succeedsWithin(SOON).isEqualTo("hi");
        process.resize(new TerminalSize(50, 132));
        process.signal(Signal.KILL);
        assertThat(process.waitFor(SOON).code()).isEqualTo(137);
        assertThat(all(process.stderr())).isEmpty();
    }

    @Test
    void withoutATerminalThereIsNoSize() {
        GuestProcess process = exec(running("sleep", "1000"), "plain", "sleep", "1000");
        assertThatThrownBy(() -> process.resize(new TerminalSize(50, 132))).isInstanceOf(AgentException.class);
    }

    @Test
    void aFurtherProcessEndsWithoutItsContainer() {
        String id = running("sleep", "1000");
        assertThat(exec(id, "yes", "true").waitFor(SOON)).isEqualTo(new ExitStatus(0));
        assertThat(exec(id, "no", "false").waitFor(SOON)).isEqualTo(new ExitStatus(1));
        assertThat(init(id).isAlive()).isTrue();
        assertThat(agent.exitOf(id, id, soon())).isEmpty();
    }

    @Test
    void aProcessWhoseIdIsTakenIsRefused() {
        String id = running("sleep", "1000");
        GuestProcess first = exec(id, "twice", "sleep", "1000");
        assertThatThrownBy(() -> exec(id, "twice", "true")).isInstanceOf(VirtException.class);
        assertThat(first.isAlive()).isTrue();
    }

    @Test
    void aProgramThatIsNotThereIs127AndItsContainerDoesNotExist() {
        assertThatThrownBy(() -> create("no-such-program"))
                .isInstanceOfSatisfying(
                        CommandNotFoundException.class,
                        e -> assertThat(e.exitCode()).isEqualTo(127));
        String id = created.get(0);
        assertThatThrownBy(() -> agent.startContainer(id, soon())).isInstanceOf(NotFoundException.class);
        String running = running("sleep", "1000");
        assertThatThrownBy(() -> exec(running, "missing", "no-such-program"))
                .isInstanceOfSatisfying(
                        CommandNotFoundException.class,
                        e -> assertThat(e.exitCode()).isEqualTo(127));
    }

    @Test
    void aSignalToAProcessReachesItAlone() {
        String id = running("sleep", "1000");
        GuestProcess sleeping = exec(id, "sleeping", "sleep", "1000");
        GuestProcess other = exec(id, "other", "sleep", "1000");
        sleeping.signal(Signal.TERM);
        assertThat(sleeping.waitFor(SOON)).isEqualTo(new ExitStatus(143));
        sleeping.signal(Signal.TERM);
        assertThat(other.isAlive()).isTrue();
        assertThat(init(id).isAlive()).isTrue();
    }

    @Test
    void aSignalToAContainerReachesAllItsProcesses() {
        String id = running("sleep", "1000");
        GuestProcess further = exec(id, "further", "sleep", "1000");
        agent.signalContainer(id, Signal.KILL, soon());
        assertThat(further.waitFor(SOON)).isEqualTo(new ExitStatus(137));
        assertThat(init(id).waitFor(SOON)).isEqualTo(new ExitStatus(137));
    }

    @Test
    void exitOfTellsAtOnceWhetherAProcessHasEnded() {
        String id = running("sleep", "1000");
        GuestProcess further = exec(id, "further", "cat");
        assertThat(agent.exitOf(id, "further", soon())).isEmpty();
        further.signal(Signal.KILL);
        further.waitFor(SOON);
        assertThat(agent.exitOf(id, "further", soon())).hasValue(new ExitStatus(137));
        assertThat(agent.exitOf(id, "further", soon())).hasValue(new ExitStatus(137));
        assertThat(agent.exitOf(id, id, soon())).isEmpty();
    }

    @Test
    void anotherConnectionAttachesToAProcess() throws IOException {
        String id = running("cat");
        Agent second = connect(1);
        GuestProcess attached = second.process(id, id, false);
        write(attached, "one\n");
        assertThat(readLine(init(id), 4)).succeedsWithin(SOON).isEqualTo("one\n");
        GuestProcess further = exec(id, "further", "cat");
        GuestProcess attachedFurther = second.process(id, "further", false);
        write(further, "two\n");
        assertThat(readLine(attachedFurther, 4)).succeedsWithin(SOON).isEqualTo("two\n");
        attachedFurther.stdin().close();
        assertThat(further.waitFor(SOON)).isEqualTo(new ExitStatus(0));
        assertThat(attachedFurther.waitFor(SOON)).isEqualTo(new ExitStatus(0));
    }

    @Test
    void processesSurviveTheConnectionThatStartedThem() throws IOException {
        String id = running("sleep", "1000");
        GuestProcess lost = exec(id, "cat", "cat");
        agent.close();
        assertThatThrownBy(() -> lost.waitFor(SOON)).isInstanceOf(AgentException.class);
        Agent second = connect(1);
        assertThat(second.exitOf(id, "cat", soon())).isEmpty();
        GuestProcess attached = second.process(id, "cat", false);
        write(attached, "still here\n");
        attached.stdin().close();
        assertThat(all(attached.stdout())).isEqualTo("still here\n");
        assertThat(attached.waitFor(SOON)).isEqualTo(new ExitStatus(0));
    }

    @Test
    void theEndOfAProcessIsKnownToWhoAttachesAfterIt() {
        String id = running("sleep", "1000");
        exec(id, "ended", "false").waitFor(SOON);
        assertThat(connect(1).process(id, "ended", false).waitFor(SOON)).isEqualTo(new ExitStatus(1));
    }

    @Test
    void attachingToNothingFailsWhenItIsWaitedFor() {
        String id = running("sleep", "1000");
        assertThatThrownBy(() -> agent.process(id, "unknown", false).waitFor(SOON))
                .isInstanceOf(NotFoundException.class);
    }

    @Test
    void pidsAreThoseOfTheLiveProcesses() {
        String id = running("sleep", "1000");
        assertThat(agent.pids(id, soon())).hasSize(1).allMatch(pid -> pid > 0);
        GuestProcess further = exec(id, "further", "sleep", "1000");
        assertThat(agent.pids(id, soon())).hasSize(2).doesNotHaveDuplicates();
        further.signal(Signal.KILL);
        further.waitFor(SOON);
        assertThat(agent.pids(id, soon())).hasSize(1);
        agent.signalContainer(id, Signal.KILL, soon());
        init(id).waitFor(SOON);
        assertThat(agent.pids(id, soon())).isEmpty();
    }

    @Test
    void theProcessTableShowsPidsAndCommands() {
        String id = running("sleep", "1234");
        String pid = Long.toString(agent.pids(id, soon()).get(0));
        assertThat(agent.processTable(id, List.of(), soon()))
                .containsIgnoringCase("PID")
                .contains("sleep 1234")
                .contains(pid);
    }

    @Test
    void aPausedContainerDoesNothingUntilItIsResumed() throws Exception {
        String id = running("cat");
        GuestProcess cat = init(id);
        write(cat, "a\n");
        assertThat(readLine(cat, 2)).succeedsWithin(SOON).isEqualTo("a\n");
        agent.pauseContainer(id, soon());
        write(cat, "b\n");
        CompletableFuture<String> answer = readLine(cat, 2);
        assertThatThrownBy(() -> answer.get(SILENCE_MILLIS, TimeUnit.MILLISECONDS))
                .isInstanceOf(TimeoutException.class);
        assertThat(agent.exitOf(id, id, soon())).isEmpty();
        assertThat(agent.pids(id, soon())).hasSize(1);
        agent.resumeContainer(id, soon());
        assertThat(answer).succeedsWithin(SOON).isEqualTo("b\n");
    }

    @Test
    void aRenewedSandboxLetsItsPausedContainersRunOn() throws Exception {
        String id = running("cat");
        GuestProcess cat = init(id);
        agent.pauseContainer(id, soon());
        write(cat, "a\n");
        agent.renewSandbox("another", "another-host", Instant.now(), List.of(id), soon());
        assertThat(readLine(cat, 2)).succeedsWithin(SOON).isEqualTo("a\n");
        assertThatThrownBy(() ->
                        agent.renewSandbox("another", "another-host", Instant.EPOCH.minusSeconds(1), List.of(), soon()))
                .isInstanceOf(InvalidConfigException.class);
    }

    @Test
    void aPausedContainerCanBeRemoved() {
        String id = running("sleep", "1000");
        agent.pauseContainer(id, soon());
        agent.removeContainer(id, soon());
        assertThatThrownBy(() -> agent.pids(id, soon())).isInstanceOf(NotFoundException.class);
    }

    @Test
    void statisticsAreThoseOfTheContainer() {
        String id = running("sleep", "1000");
        ContainerStats before = agent.stats(id, soon());
        assertThat(before.memory().usage()).isPositive();
        assertThat(before.memory().limit())
                .isGreaterThanOrEqualTo(before.memory().usage());
        assertThat(before.pids().current()).isEqualTo(1);
        exec(id, "further", "sleep", "1000");
        ContainerStats after = agent.stats(id, soon());
        assertThat(after.pids().current()).isEqualTo(2);
        assertThat(after.cpu().usage())
                .isPositive()
                .isGreaterThanOrEqualTo(before.cpu().usage());
    }

    @Test
    void anUpdateChangesTheLimitsThatItNamesAndNoOther() {
        String id = running("sleep", "1000");
        MemorySize memory = MemorySize.mib(64);
        agent.updateContainer(id, Resources.builder().memoryLimit(memory).build(), soon());
        assertThat(agent.stats(id, soon()).memory().limit()).isEqualTo(memory.bytes());
        agent.updateContainer(id, Resources.builder().pidsLimit(50).build(), soon());
        ContainerStats stats = agent.stats(id, soon());
        assertThat(stats.pids().limit()).isEqualTo(50);
        assertThat(stats.memory().limit()).isEqualTo(memory.bytes());
    }

    @Test
    void aContainerMayBeRemovedAgainAndItsIdIsFreeThen() {
        String id = running("sleep", "1000");
        agent.removeContainer(id, soon());
        agent.removeContainer(id, soon());
        agent.removeContainer("never-created", soon());
        create(id, List.of("true"));
        agent.startContainer(id, soon());
        assertThat(init(id).waitFor(SOON)).isEqualTo(new ExitStatus(0));
    }

    @Test
    void aContainerWhoseIdIsTakenIsRefusedAndTheFirstOneStays() {
        String id = running("cat");
        assertThatThrownBy(() -> create(id, List.of("true"))).isInstanceOf(VirtException.class);
        assertThat(agent.exitOf(id, id, soon())).isEmpty();
    }

    @TestFactory
    List<DynamicTest> anUnknownContainerIsNotFound() {
        String unknown = "unknown";
        Map<String, ThrowingCallable> calls = new TreeMap<>(Map.of(
                "startContainer", () -> agent.startContainer(unknown, soon()),
                "signalContainer", () -> agent.signalContainer(unknown, Signal.KILL, soon()),
                "exec", () -> exec(unknown, "further", "true"),
                "exitOf", () -> agent.exitOf(unknown, unknown, soon()),
                "pauseContainer", () -> agent.pauseContainer(unknown, soon()),
                "resumeContainer", () -> agent.resumeContainer(unknown, soon()),
                "stats", () -> agent.stats(unknown, soon()),
                "updateContainer", () -> agent.updateContainer(unknown, Resources.none(), soon()),
                "pids", () -> agent.pids(unknown, soon()),
                "processTable", () -> agent.processTable(unknown, List.of(), soon())));
        return calls.entrySet().stream()
                .map(call -> DynamicTest.dynamicTest(
                        call.getKey(), () -> assertThatThrownBy(call.getValue()).isInstanceOf(NotFoundException.class)))
                .toList();
    }

    @Test
    void anUnknownProcessIsNotFound() {
        String id = running("sleep", "1000");
        assertThatThrownBy(() -> agent.exitOf(id, "unknown", soon())).isInstanceOf(NotFoundException.class);
    }

    @Test
    void anInterfaceThatTheGuestLacksIsNotFound() {
        GuestInterface missing = new GuestInterface("", "eth7", List.of(), 0, "02:00:00:00:00:77", false);
        assertThatThrownBy(() -> agent.updateInterface(missing, soon())).isInstanceOf(NotFoundException.class);
        assertThat(agent.interfaces(soon()))
                .extracting(GuestInterface::hardwareAddress)
                .doesNotContain(missing.hardwareAddress());
    }

    @Test
    void theRoutesAreThoseThatWereSet() {
        assertThat(agent.updateRoutes(List.of(), soon())).isEqualTo(agent.routes(soon()));
    }

    @Test
    void aSandboxIsCreatedOnce() {
        assertThatThrownBy(() -> agent.createSandbox("again", "again", soon()))
                .isInstanceOf(AlreadyExistsException.class);
    }

    @Test
    void theDetailsSayWhatTheAgentServes() {
        GuestDetails details = agent.details(soon());
        assertThat(details.agentVersion()).isNotBlank();
        assertThat(details.deviceDrivers()).contains("blk");
        assertThat(details.storageDrivers()).contains("blk", "overlayfs", "ephemeral", "local");
    }

    @Test
    void filesAreCopiedIntoTheAgentsDirectoryOnly(@TempDir Path directory) throws IOException {
        Path file = Files.write(directory.resolve("file"), new byte[2 * MEBIBYTE + 1]);
        GuestPath target = GuestPath.of("/run/kata-containers/tck/deep/file");
        agent.copyFile(file, target, soon());
        agent.copyFile(Files.createFile(directory.resolve("empty")), target, soon());
        assertThatThrownBy(() -> agent.copyFile(file, GuestPath.of("/etc/file"), soon()))
                .isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> agent.copyFile(directory, target, soon())).isInstanceOf(HostSetupException.class);
        assertThatThrownBy(() -> agent.copyFile(directory.resolve("missing"), target, soon()))
                .isInstanceOf(HostSetupException.class);
    }

    @Test
    void theClockIsSetToATimeThatLinuxKnows() {
        agent.setTime(Instant.now(), soon());
        assertThatThrownBy(() -> agent.setTime(Instant.EPOCH.minusNanos(1), soon()))
                .isInstanceOf(InvalidConfigException.class);
    }

    @Test
    void randomnessIsRenewedAndCallsAreTraced() {
        agent.reseedRandom(soon());
        agent.trace(true, soon());
        agent.check(soon());
        agent.trace(false, soon());
        agent.trace(false, soon());
    }

    @Test
    void whatWasNotPluggedInIsNotPutToUse() {
        agent.onlineCpus(0, soon());
        agent.onlineMemory(soon());
        assertThatThrownBy(() -> agent.onlineCpus(1, soon())).isInstanceOf(DeadlineExceededException.class);
        assertThatThrownBy(() -> agent.onlineCpus(-1, soon())).isInstanceOf(InvalidConfigException.class);
    }

    @Test
    void addressesOfMemoryAreRefusedByAKernelThatFindsIt() {
        assertThat(agent.details(soon()).memoryProbe()).isFalse();
        assertThatThrownBy(() -> agent.probeMemory(List.of(1L << 40), soon())).isInstanceOf(AgentException.class);
    }

    @Test
    void aCallOnAnInterruptedThreadIsCancelledAndKeepsTheInterrupt() {
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() -> agent.check(soon())).isInstanceOf(CancelledException.class);
        } finally {
            assertThat(Thread.interrupted()).as("interrupted").isTrue();
        }
    }

    @Test
    void aChannelThatIsInUseAnswersNobodyElse() {
        Agent late = session.connect(0);
        connected.add(late);
        assertThatThrownBy(() -> late.awaitReady(Deadline.after(Duration.ofMillis(SILENCE_MILLIS))))
                .isInstanceOf(DeadlineExceededException.class);
        agent.check(soon());
    }

    @Test
    void abortEndsTheWaitForAnAgentThatDoesNotAnswer() {
        Agent late = session.connect(0);
        connected.add(late);
        CompletableFuture<Void> waiting = CompletableFuture.runAsync(() -> late.awaitReady(soon()));
        late.abort(new VmDiedException("the machine is gone"));
        assertThat(waiting)
                .failsWithin(AT_ONCE)
                .withThrowableThat()
                .withCauseInstanceOf(VmDiedException.class)
                .withMessageContaining("the machine is gone");
    }

    @Test
    void abortFailsWhatIsUnderWayAndAllThatFollowsWithItsReason() {
        String id = running("sleep", "1000");
        Agent second = connect(1);
        GuestProcess process = second.process(id, id, false);
        CompletableFuture<String> read = readLine(process, 1);
        CompletableFuture<ExitStatus> exit = process.onExit();
        second.abort(new VmDiedException("the machine is gone"));
        assertThat(exit).failsWithin(AT_ONCE).withThrowableThat().withCauseInstanceOf(VmDiedException.class);
        assertThat(read).failsWithin(AT_ONCE).withThrowableThat().withMessageContaining("the machine is gone");
        assertThatThrownBy(() -> process.waitFor(SOON)).isInstanceOf(VmDiedException.class);
        assertThatThrownBy(() -> process.stdout().read()).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> write(process, "x")).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> second.check(soon()))
                .isInstanceOf(VmDiedException.class)
                .hasMessageContaining("the machine is gone");
        assertThatThrownBy(() -> second.awaitReady(soon())).isInstanceOf(VmDiedException.class);
        second.close();
        assertThatThrownBy(() -> second.check(soon())).isInstanceOf(VmDiedException.class);
        assertThat(agent.exitOf(id, id, soon()))
                .as("the process, seen by the other connection")
                .isEmpty();
    }

    @Test
    void afterCloseEverythingFails() {
        String id = running("sleep", "1000");
        Agent second = connect(1);
        GuestProcess process = second.process(id, id, false);
        second.close();
        second.close();
        assertThatThrownBy(() -> second.check(soon())).isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> second.pids(id, soon())).isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> second.exec(id, "late", ProcessConfig.of("true"), soon()))
                .isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> process.waitFor(SOON)).isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> process.signal(Signal.KILL)).isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> process.stdout().read()).isInstanceOf(IOException.class);
        assertThat(agent.exitOf(id, id, soon())).isEmpty();
    }

    @Test
    void aChannelIsFreeAgainAfterClose() {
        for (int i = 0; i < 3; i++) {
            Agent again = connect(1);
            again.check(soon());
            again.close();
        }
    }

    @Test
    void destroyingTheSandboxEndsItsContainers() {
        try (AgentSession another = open()) {
            Agent other = another.connect(0);
            other.awaitReady(soon());
            other.createSandbox("another", "another", soon());
            ContainerConfig config = ContainerConfig.builder("c")
                    .rootfs(RootFs.image(Path.of("/the-session-knows")))
                    .command("sleep", "1000")
                    .build();
            other.createContainer(config, another.plugRootfs("disk"), soon());
            other.startContainer("c", soon());
            GuestProcess process = other.process("c", "c", false);
            other.destroySandbox(soon());
            // The guest may be gone before the end of the process is told.
            assertThat(process.onExit().handle((exit, error) -> true)).succeedsWithin(SOON);
            other.close();
        }
    }
}
