// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Device;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.VirtException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import io.virtcontainers.spi.VmEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The contract of {@link Hypervisor} and {@link VirtualMachine}, line by line. A backend passes when a subclass with its
 * own hypervisor is green. Nothing here needs an agent in the guest, but a guest that lets go of disks.
 */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
public abstract class HypervisorTck {
    private static final Phases NO_PHASES = name -> () -> {};
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final Duration AT_ONCE = Duration.ofSeconds(5);

    @TempDir
    Path directory;

    private final List<Hypervisor> opened = new ArrayList<>();
    private Hypervisor hypervisor;

    /** Opens a hypervisor of this backend; the suite closes it. Called several times in one test. */
    protected abstract Hypervisor hypervisor();

    /** A machine that boots something which lets go of disks. */
    protected abstract VmConfig config(Path directory, boolean detached);

    /** A machine whose launch fails after the hypervisor has begun with it. */
    protected abstract VmConfig failingConfig(Path directory);

    /** A readable raw image. */
    protected abstract Path diskImage();

    /** Waits until the guest is up, as only then it lets go of disks. */
    protected abstract void awaitGuest(VirtualMachine machine);

    /** Whether a machine is a process of its own; not so for one that lives inside this Java process. */
    protected boolean hasOwnProcess() {
        return true;
    }

    /** Ends the machine behind the hypervisor's back. */
    protected void kill(VirtualMachine machine) {
        assertThat(ProcessHandle.of(machine.process().pid()).orElseThrow().destroyForcibly())
                .isTrue();
    }

    @BeforeEach
    void open() {
        hypervisor = another();
    }

    @AfterEach
    void close() {
        another().reap(directory, soon()); // the first one may be closed
        opened.forEach(Hypervisor::close);
        assertNothingRuns();
    }

    private Hypervisor another() {
        Hypervisor more = hypervisor();
        opened.add(more);
        return more;
    }

    private static Deadline soon() {
        return Deadline.after(SOON);
    }

    private VirtualMachine launch() {
        return hypervisor.launch(config(directory, false), NO_PHASES, soon());
    }

    private VirtualMachine launchDetached() {
        return hypervisor.launch(config(directory, true), NO_PHASES, soon());
    }

    private VirtualMachine up(VirtualMachine machine) {
        awaitGuest(machine);
        return machine;
    }

    private VirtualMachine attach(VirtualMachine machine) {
        VmConfig config = config(directory, true);
        return another().attach(config.sandboxId(), directory, config.settings(), machine.process(), soon());
    }

    private void assertEnded(VirtualMachine machine) {
        assertThat(machine.onExit()).succeedsWithin(AT_ONCE).asString().isNotEmpty();
        if (hasOwnProcess()) {
            assertThat(machine.process().isAlive())
                    .as("%s is alive", machine.process())
                    .isFalse();
        }
    }

    private static void assertRuns(VirtualMachine machine) {
        assertThat(machine.process().isAlive())
                .as("%s is alive", machine.process())
                .isTrue();
        assertThat(machine.onExit()).isNotDone();
        assertThat(machine.isPaused(soon())).isFalse();
    }

    /** No process names the sandbox's directory, as every hypervisor that has files there does. */
    private void assertNothingRuns() {
        List<String> left = ProcessHandle.allProcesses()
                .filter(process -> process.pid() != ProcessHandle.current().pid())
                .map(process -> commandLine(process.pid()))
                .filter(line -> line.contains(directory.toString()))
                .toList();
        assertThat(left).as("processes that name %s", directory).isEmpty();
    }

    private static String commandLine(long pid) {
        try {
            return Files.readString(Path.of("/proc/" + pid + "/cmdline")).replace('\0', ' ');
        } catch (IOException gone) {
            return "";
        }
    }

    @Test
    void aCloneGoesOnWhereItsTemplateWasSaved() throws IOException {
        VmConfig described = config(Files.createDirectory(directory.resolve("t")), false);
        Path memory = directory.resolve("memory");
        Path state = directory.resolve("state");
        VirtualMachine template =
                hypervisor.launch(described.withMemoryImage(new MemoryImage.Template(memory)), NO_PHASES, soon());
        awaitGuest(template);
        template.save(state, soon());
        assertThat(template.isPaused(soon())).isTrue();
        template.stop(soon());
        assertThat(memory).isNotEmptyFile();
        VmConfig clone = config(Files.createDirectory(directory.resolve("c")), false)
                .withMemoryImage(new MemoryImage.Clone(memory, state));
        assertThat(hypervisor.templateKey(clone, NO_PHASES, soon()))
                .isEqualTo(hypervisor.templateKey(described, NO_PHASES, soon()));
        VirtualMachine machine = hypervisor.launch(clone, NO_PHASES, soon());
        try {
            assertThat(machine.isPaused(soon())).isFalse();
            assertThat(machine.isResized(soon())).isFalse();
            String unused = machine.addDevice(new Device.Block("late", diskImage(), /* readOnly= */ true), soon());
            assertThat(machine.disks(List.of("late", "none"), soon()))
                    .extracting(disk -> disk.disk().id())
                    .containsExactly("late");
            machine.removeDevice("late", soon());
            assertThat(machine.disks(List.of("late"), soon())).isEmpty();
        } finally {
            machine.stop(soon());
        }
    }

    @Test
    void aLaunchedMachineRunsAndHasAWayToItsAgent() {
        VirtualMachine machine = launch();
        assertRuns(machine);
        assertThat(machine.channels()).isNotEmpty().allSatisfy(channel -> {
            if (channel instanceof GuestChannel.VirtioSerial port) {
                assertThat(port.socket()).startsWithRaw(directory);
            } else {
                assertThat(channel.exclusive()).isFalse();
            }
        });
        assertThat(machine.process()).isEqualTo(machine.process());
    }

    @Test
    void aLaunchThatFailsLeavesNothingAndNothingInTheWayOfAnother() {
        assertThatThrownBy(() -> hypervisor.launch(failingConfig(directory), NO_PHASES, soon()))
                .isInstanceOf(VirtException.class);
        assertNothingRuns();
        assertRuns(launch());
    }

    @Test
    void aLaunchWithoutTimeLeavesNothing() {
        Deadline passed = Deadline.after(Duration.ZERO);
        assertThatThrownBy(() -> hypervisor.launch(config(directory, false), NO_PHASES, passed))
                .isInstanceOf(DeadlineExceededException.class);
        assertNothingRuns();
    }

    @Test
    void anInterruptedLaunchLeavesNothingAndKeepsTheInterrupt() {
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(this::launch).isInstanceOf(CancelledException.class);
        } finally {
            assertThat(Thread.interrupted()).as("interrupted").isTrue();
        }
        assertNothingRuns();
    }

    @Test
    void stopEndsTheProcessAndMayBeRepeated() {
        VirtualMachine machine = launch();
        machine.stop(soon());
        assertEnded(machine);
        machine.stop(soon());
        machine.release();
    }

    @Test
    void stopWorksOnAnInterruptedThreadAndKeepsTheInterrupt() {
        VirtualMachine machine = launch();
        Thread.currentThread().interrupt();
        try {
            machine.stop(soon());
        } finally {
            assertThat(Thread.interrupted()).as("interrupted").isTrue();
        }
        assertEnded(machine);
    }

    @Test
    void stopEndsAMachineAlsoWhenNoTimeIsLeft() {
        VirtualMachine machine = launch();
        machine.stop(Deadline.after(Duration.ZERO));
        assertEnded(machine);
    }

    @Test
    void stopEndsAPausedMachine() {
        VirtualMachine machine = launch();
        machine.pause(soon());
        machine.stop(soon());
        assertEnded(machine);
    }

    @Test
    void allWhoWaitLearnWhyAKilledMachineEnded() {
        VirtualMachine machine = launch();
        CompletableFuture<String> first = machine.onExit();
        CompletableFuture<String> second = machine.onExit();
        assertThat(first).isNotDone();
        kill(machine);
        assertThat(first).succeedsWithin(AT_ONCE).asString().isNotEmpty();
        assertThat(second).succeedsWithin(AT_ONCE).isEqualTo(first.join());
        assertThat(machine.onExit()).isCompletedWithValue(first.join());
        assertEnded(machine);
        machine.stop(soon());
        assertThat(machine.onExit()).isCompletedWithValue(first.join());
    }

    @Test
    void aDeadMachineTakesNoDisk() {
        VirtualMachine machine = launch();
        kill(machine);
        assertThat(machine.onExit()).succeedsWithin(AT_ONCE);
        assertThatThrownBy(() -> machine.addDevice(new Device.Block("disk", diskImage(), true), soon()))
                .isInstanceOf(HypervisorException.class);
    }

    @Test
    void everyDiskHasAnAddressOfItsOwn() {
        VirtualMachine machine = launch();
        Set<String> addresses = new HashSet<>();
        for (int i = 0; i < 5; i++) {
            assertThat(addresses.add(machine.addDevice(new Device.Block("disk" + i, diskImage(), true), soon())))
                    .isTrue();
        }
        assertThat(addresses).allMatch(address -> address.matches("[0-9a-f]{2}/[0-9a-f]{2}"));
    }

    @Test
    void aDiskThatWasRemovedCanBeAddedAgain() {
        VirtualMachine machine = up(launch());
        machine.addDevice(new Device.Block("disk", diskImage(), true), soon());
        machine.removeDevice("disk", soon());
        machine.removeDevice("disk", soon());
        assertThat(machine.addDevice(new Device.Block("disk", diskImage(), false), soon()))
                .isNotEmpty();
    }

    @Test
    void aDiskWhoseIdIsTakenIsRefusedAndTheFirstOneStays() {
        VirtualMachine machine = up(launch());
        String first = machine.addDevice(new Device.Block("disk", diskImage(), true), soon());
        assertThatThrownBy(() -> machine.addDevice(new Device.Block("disk", diskImage(), true), soon()))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("disk");
        assertThat(machine.addDevice(new Device.Block("other", diskImage(), true), soon()))
                .isNotEqualTo(first);
        machine.removeDevice("disk", soon());
    }

    @Test
    void aDiskWithoutAnImageIsRefusedAndItsIdStaysFree() {
        VirtualMachine machine = launch();
        assertThatThrownBy(
                        () -> machine.addDevice(new Device.Block("disk", directory.resolve("missing"), true), soon()))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("missing");
        assertThat(machine.addDevice(new Device.Block("disk", diskImage(), true), soon()))
                .isNotEmpty();
    }

    @Test
    void removingAnUnknownDiskDoesNothing() {
        VirtualMachine machine = up(launch());
        machine.removeDevice("unknown", soon());
        assertRuns(machine);
    }

    @Test
    void pauseAndResumeMayBeRepeated() {
        VirtualMachine machine = launch();
        machine.resume(soon());
        assertThat(machine.isPaused(soon())).isFalse();
        machine.pause(soon());
        machine.pause(soon());
        assertThat(machine.isPaused(soon())).isTrue();
        machine.resume(soon());
        machine.resume(soon());
        assertThat(machine.isPaused(soon())).isFalse();
    }

    @Test
    void tellsWhenItIsHaltedAndGoesOn() {
        VirtualMachine machine = launch();
        BlockingQueue<VmEvent> told = new LinkedBlockingQueue<>();
        machine.onEvent(told::add);
        machine.pause(soon());
        machine.resume(soon());
        assertThat(poll(told)).isEqualTo(new VmEvent.Paused());
        assertThat(poll(told)).isEqualTo(new VmEvent.Resumed());
    }

    private static @Nullable VmEvent poll(BlockingQueue<VmEvent> told) {
        try {
            return told.poll(AT_ONCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void diagnosticsWaitForNobody() {
        VirtualMachine machine = launch();
        machine.pause(soon());
        assertThat(CompletableFuture.supplyAsync(machine::diagnostics)).succeedsWithin(AT_ONCE);
        machine.stop(soon());
        assertThat(CompletableFuture.supplyAsync(machine::diagnostics)).succeedsWithin(AT_ONCE);
    }

    @Test
    void reapEndsWhatRunsInTheDirectoryAndDeletesNoFile() throws IOException {
        Path file = Files.writeString(directory.resolve("kept"), "kept");
        VirtualMachine machine = launch();
        Hypervisor other = another();
        other.reap(directory, soon());
        assertEnded(machine);
        other.reap(directory, soon());
        assertThat(file).hasContent("kept");
    }

    @Test
    void reapEndsADetachedMachineThatNobodyHasOpen() {
        VirtualMachine machine = launchDetached();
        HostProcess process = machine.process();
        machine.release();
        another().reap(directory, soon());
        if (hasOwnProcess()) {
            assertThat(process.isAlive()).isFalse();
        }
        assertThatThrownBy(() -> attach(machine)).isInstanceOf(VmDiedException.class);
    }

    @Test
    void reapDoesNothingWhereNothingRuns(@TempDir Path empty) {
        VirtualMachine machine = launch();
        hypervisor.reap(empty, soon());
        assertRuns(machine);
        assertThat(empty).isEmptyDirectory();
    }

    @Test
    void closeMayBeRepeated() {
        launch().stop(soon());
        hypervisor.close();
        hypervisor.close();
    }

    @Test
    void aDetachedMachineHasChannelsForSeveralProcesses() {
        assertThat(launchDetached().channels()).hasSizeGreaterThan(1).doesNotHaveDuplicates();
    }

    @Test
    void anAttachedMachineIsTheSameMachine() {
        VirtualMachine machine = launchDetached();
        VirtualMachine attached = attach(machine);
        assertThat(attached.process()).isEqualTo(machine.process());
        assertThat(attached.channels()).isEqualTo(machine.channels());
        attached.pause(soon());
        assertThat(machine.isPaused(soon())).isTrue();
        machine.resume(soon());
        assertRuns(attached);
    }

    @Test
    void disksOfADetachedMachineBelongToAllWhoAttach() {
        VirtualMachine machine = up(launchDetached());
        VirtualMachine attached = attach(machine);
        String first = machine.addDevice(new Device.Block("first", diskImage(), true), soon());
        String second = attached.addDevice(new Device.Block("second", diskImage(), true), soon());
        assertThat(second).isNotEqualTo(first);
        assertThatThrownBy(() -> attached.addDevice(new Device.Block("first", diskImage(), true), soon()))
                .isInstanceOf(HypervisorException.class);
        attached.removeDevice("first", soon());
        machine.removeDevice("second", soon());
        assertThat(machine.addDevice(new Device.Block("first", diskImage(), true), soon()))
                .isNotEmpty();
        assertThat(attached.addDevice(new Device.Block("second", diskImage(), true), soon()))
                .isNotEmpty();
    }

    @Test
    void aDiskIsFoundByOneWhoAttachesLater() {
        VirtualMachine machine = up(launchDetached());
        machine.addDevice(new Device.Block("disk", diskImage(), true), soon());
        machine.release();
        VirtualMachine attached = attach(machine);
        assertThatThrownBy(() -> attached.addDevice(new Device.Block("disk", diskImage(), true), soon()))
                .isInstanceOf(HypervisorException.class);
        attached.removeDevice("disk", soon());
        assertThat(attached.addDevice(new Device.Block("disk", diskImage(), true), soon()))
                .isNotEmpty();
    }

    @Test
    void releaseLeavesADetachedMachineRunning() {
        VirtualMachine machine = launchDetached();
        VirtualMachine attached = attach(machine);
        CompletableFuture<String> released = machine.onExit();
        machine.release();
        machine.release();
        assertRuns(attached);
        attached.stop(soon());
        assertEnded(attached);
        assertThat(released).as("onExit of a released machine").isNotDone();
        attached.release();
    }

    @Test
    void aDetachedMachineSurvivesTheHypervisorThatLaunchedIt() {
        VirtualMachine machine = launchDetached();
        machine.release();
        hypervisor.close();
        hypervisor = another();
        assertRuns(attach(machine));
    }

    @Test
    void allWhoAttachedLearnOfItsEnd() {
        VirtualMachine machine = launchDetached();
        VirtualMachine attached = attach(machine);
        VirtualMachine another = attach(machine);
        kill(attached);
        assertEnded(machine);
        assertEnded(attached);
        assertEnded(another);
    }

    @Test
    void whoAttachedCanStopIt() {
        VirtualMachine machine = launchDetached();
        attach(machine).stop(soon());
        assertEnded(machine);
    }

    @Test
    void attachingToADeadMachineSaysSo() {
        VirtualMachine machine = launchDetached();
        kill(machine);
        assertThat(machine.onExit()).succeedsWithin(AT_ONCE);
        assertThatThrownBy(() -> attach(machine)).isInstanceOf(VmDiedException.class);
    }

    @Test
    void attachingToAProcessThatIsNotTheMachineIsRefused() throws IOException {
        VirtualMachine machine = launchDetached();
        Process stranger = new ProcessBuilder("sleep", "1000").start();
        try {
            HostProcess process = HostProcess.of(stranger.pid());
            assertThatThrownBy(() -> another().attach("demo", directory, HypervisorConfig.defaults(), process, soon()))
                    .isInstanceOf(HypervisorException.class);
            assertThat(stranger.isAlive()).isTrue();
            assertRuns(machine);
        } finally {
            stranger.destroyForcibly();
        }
    }
}
