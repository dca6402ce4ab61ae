// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.AgentException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.State;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.SandboxRecord;
import io.virtcontainers.core.state.StateDirectory;
import io.virtcontainers.testkit.FakeAgents;
import io.virtcontainers.testkit.FakeGuestImages;
import io.virtcontainers.testkit.FakeHypervisor;
import io.virtcontainers.testkit.FakeVirtualMachine;
import io.virtcontainers.testkit.Faults;
import io.virtcontainers.testkit.Leaks;
import io.virtcontainers.testkit.OtherJvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A sandbox's whole life, again and again, each time with one fault at another call of its backends: the call fails, hangs,
 * or the Java process dies before or after it. Afterwards, at the latest after the next sweep, nothing is left. Prints the
 * table of steps and faults.
 */
@Timeout(600)
class FaultsAtEveryStepTest {
    private static final Logger log = LoggerFactory.getLogger(FaultsAtEveryStepTest.class);

    @TempDir
    Path directory;

    private Path rootfs;
    private final Map<String, String> table = new ConcurrentSkipListMap<>();

    /** The {@code occurrence}th call of an operation of the SPI. */
    private record Step(int number, String operation, int occurrence) {
        @Override
        public String toString() {
            return String.format("%02d %s #%d", number, operation, occurrence);
        }
    }

    @BeforeEach
    void prepare() throws IOException {
        rootfs = Files.createDirectories(directory.resolve("rootfs"));
        Files.createFile(directory.resolve("disk"));
    }

    /** All calls of a life without faults, in order. */
    private List<Step> steps(boolean detached) {
        FakeHypervisor hypervisor = new FakeHypervisor();
        FakeAgents agents = new FakeAgents();
        List<String> calls = new ArrayList<>();
        Path state = directory.resolve("dry");
        try (Engine engine = Engine.open(state, () -> new Backends(hypervisor, agents, new FakeGuestImages()))) {
            Life.live(engine, rootfs, detached);
            calls.addAll(hypervisor.faults().calls());
            calls.addAll(agents.faults().calls());
        }
        Map<String, Integer> seen = new HashMap<>();
        List<Step> steps = new ArrayList<>();
        for (String call : calls) {
            steps.add(new Step(steps.size(), call, seen.merge(call, 1, Integer::sum) - 1));
        }
        return steps;
    }

    @Test
    void aCallThatFailsLeavesNothing() {
        List<Step> steps = steps(false);
        Leaks before = Leaks.snapshot(directory.resolve("fails/sandboxes"));
        for (Step step : steps) {
            FakeHypervisor hypervisor = new FakeHypervisor();
            FakeAgents agents = new FakeAgents();
            onCall(hypervisor.faults(), step, () -> {
                throw new HypervisorException("scripted failure of " + step);
            });
            onCall(agents.faults(), step, () -> {
                throw new AgentException("scripted failure of " + step);
            });
            String outcome = live("fails", hypervisor, agents);
            assertNothingLeft("fails", step, hypervisor);
            Leaks.none(before);
            table.put(step + " | fails", outcome);
        }
        print("a call fails");
    }

    @Test
    void aCallThatHangsUntilItsThreadIsInterruptedLeavesNothing() throws Exception {
        List<Step> steps = steps(false);
        Leaks before = Leaks.snapshot(directory.resolve("hangs/sandboxes"));
        ExecutorService two = Executors.newFixedThreadPool(8);
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (Step step : steps) {
            all.add(CompletableFuture.runAsync(() -> hang(step), two));
        }
        CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)).get(5, TimeUnit.MINUTES);
        two.shutdown();
        Leaks.none(before);
        print("a call hangs");
    }

    private void hang(Step step) {
        FakeHypervisor hypervisor = new FakeHypervisor();
        FakeAgents agents = new FakeAgents();
        Thread living = Thread.currentThread();
        AtomicInteger left = new AtomicInteger(step.occurrence());
        CompletableFuture<Void> reached = new CompletableFuture<>();
        for (Faults faults : List.of(hypervisor.faults(), agents.faults())) {
            faults.before(step.operation(), () -> {
                if (left.getAndDecrement() == 0) {
                    faults.hang(step.operation());
                    reached.complete(null);
                }
            });
        }
        // The call after the one that is counted hangs: so count one less, or hang at once.
        if (step.occurrence() == 0) {
            hypervisor.faults().hang(step.operation());
            agents.faults().hang(step.operation());
        }
        var unused = CompletableFuture.anyOf(
                        reached,
                        hypervisor.faults().reached(step.operation()),
                        agents.faults().reached(step.operation()))
                .thenRun(living::interrupt);
        String outcome = live("hangs-" + step.number(), hypervisor, agents);
        boolean interrupted = Thread.interrupted();
        assertNothingLeft("hangs-" + step.number(), step, hypervisor);
        table.put(step + " | hangs", outcome + (interrupted ? ", interrupt kept" : ""));
    }

    private static void onCall(Faults faults, Step step, Runnable action) {
        AtomicInteger left = new AtomicInteger(step.occurrence());
        faults.before(step.operation(), () -> {
            if (left.getAndDecrement() == 0) {
                action.run();
            }
        });
    }

    private String live(String state, FakeHypervisor hypervisor, FakeAgents agents) {
        Engine engine =
                Engine.open(directory.resolve(state), () -> new Backends(hypervisor, agents, new FakeGuestImages()));
        String outcome = "survived it";
        try {
            Life.live(engine, rootfs, false);
        } catch (VirtException e) {
            outcome = e.getClass().getSimpleName();
        }
        // A fault is once; what hangs is healed, as otherwise the hypervisor itself could not be ended by anybody.
        hypervisor.faults().calls().forEach(hypervisor.faults()::heal);
        agents.faults().calls().forEach(agents.faults()::heal);
        boolean interrupted = Thread.interrupted();
        engine.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return outcome;
    }

    private void assertNothingLeft(String state, Step step, FakeHypervisor hypervisor) {
        assertThat(hypervisor.machines()).as("machines after %s", step).noneMatch(FakeVirtualMachine::isAlive);
        assertThat(files(directory.resolve(state).resolve("sandboxes")))
                .as("files after %s", step)
                .isEmpty();
    }

    private static List<Path> files(Path directory) {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.skip(1).toList();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void aDeathOfTheProcessLeavesNothingAfterTheNextSweep() throws Exception {
        ExecutorService workers = Executors.newFixedThreadPool(2);
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (boolean detached : List.of(true, false)) {
            for (Step step : steps(detached)) {
                // What is after one call is before the next one, but for the record that is written in between.
                for (String when : detached ? List.of("before", "after") : List.of("after")) {
                    all.add(CompletableFuture.runAsync(() -> crash(step, when, detached), workers));
                }
            }
        }
        CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)).get(9, TimeUnit.MINUTES);
        workers.shutdown();
        print("the process dies");
    }

    private void crash(Step step, String when, boolean detached) {
        Path state = directory.resolve((detached ? "d" : "s") + when.charAt(0) + step.number());
        try (OtherJvm dying = new OtherJvm(
                CrashingLife.class,
                state.toString(),
                rootfs.toString(),
                Boolean.toString(detached),
                when,
                step.operation(),
                Integer.toString(step.occurrence()))) {
            int code = dying.waitFor();
            assertThat(code).as("%s %s", when, step).isEqualTo(CrashingLife.CRASHED);
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
        try (Engine next =
                Engine.open(state, () -> new Backends(new FakeHypervisor(), new FakeAgents(), new FakeGuestImages()))) {
            List<SandboxStatus> found = next.list();
            if (!detached) {
                assertThat(found).as("%s %s", when, step).isEmpty();
            }
            for (SandboxStatus status : found) {
                assertThat(status.state()).as("%s %s", when, step).isIn(State.READY, State.STOPPED);
                assertThat(status.containers()).allMatch(container -> container.state() == State.STOPPED);
                assertThat(recordOf(state).held()).isEmpty();
                assertThat(recordOf(state).pending()).isEmpty();
                assertThat(state.resolve("sandboxes").resolve(Life.ID).resolve("vm"))
                        .doesNotExist();
                next.sandbox(status.id()).delete();
            }
            assertThat(files(state.resolve("sandboxes")))
                    .as("%s %s", when, step)
                    .isEmpty();
            String left = found.isEmpty() ? "nothing" : found.get(0).state().toString();
            table.put(step + " | dies " + when + " it, " + (detached ? "detached" : "scoped"), "left: " + left);
        }
    }

    private static SandboxRecord recordOf(Path state) {
        try (StateDirectory directory = StateDirectory.open(state)) {
            return directory.place(Life.ID).store().read().orElseThrow();
        }
    }

    private void print(String fault) {
        StringBuilder text = new StringBuilder("| step | fault | outcome, then nothing left |\n|---|---|---|\n");
        table.forEach((step, outcome) ->
                text.append("| ").append(step).append(" | ").append(outcome).append(" |\n"));
        log.info("{}:\n{}", fault, text);
        try {
            Files.createDirectories(Path.of("target"));
            Files.writeString(Path.of("target", "faults-" + fault.replace(' ', '-') + ".md"), text);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
