// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.AgentException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.Signal;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** A container inside a fake guest. Thread-safe. */
final class FakeContainer {
    private static final long MEMORY_OF_A_PROCESS = 1 << 20;

    private final FakeGuest guest;
    private final AtomicLong pids;
    private final ContainerConfig config;
    private final Map<String, FakeProcess> processes = new LinkedHashMap<>();
    private final FakeProcess init;
    private final FakeProgram program;
    private Resources resources;
    private volatile boolean paused;
    private @Nullable ContainerStats scripted;

    /** @param pids counts the processes of the guest */
    FakeContainer(FakeGuest guest, AtomicLong pids, ContainerConfig config, FakeProgram program) {
        this.guest = guest;
        this.pids = pids;
        this.config = config;
        this.resources = config.resources();
        this.program = program;
        this.init = process(config.id(), config.process(), program);
        processes.put(init.id(), init);
        // As in the kernel, a PID namespace ends with its first process.
        var unused = init.exit().thenAccept(exit -> all().forEach(process -> process.signal(Signal.KILL)));
    }

    /**
     * As a container of a clone. A program cannot be copied while it runs: it begins anew, as soon as the container is not
     * paused. Execs are not taken over.
     */
    synchronized FakeContainer in(FakeGuest clone, AtomicLong pidsOfClone) {
        FakeContainer copy = new FakeContainer(clone, pidsOfClone, config, program);
        copy.resources = resources;
        copy.paused = paused;
        if (init.exit().isDone()) {
            copy.init.startEnded(init.exit().join());
        } else if (init.isStarted()) {
            copy.init.start();
        }
        return copy;
    }

    private FakeProcess process(String id, ProcessConfig process, FakeProgram program) {
        return new FakeProcess(guest, () -> paused, id, pids.incrementAndGet(), process, program);
    }

    private synchronized List<FakeProcess> all() {
        return List.copyOf(processes.values());
    }

    private List<FakeProcess> live() {
        return all().stream().filter(process -> !process.exit().isDone()).toList();
    }

    synchronized void start() {
        if (init.isStarted()) {
            throw new AgentException("FAILED_PRECONDITION: container " + config.id() + " was started before");
        }
        init.start();
    }

    synchronized FakeProcess exec(String execId, ProcessConfig process, FakeProgram program) {
        if (!init.isStarted() || init.exit().isDone() || paused) {
            throw new AgentException("FAILED_PRECONDITION: container " + config.id() + " is not running");
        }
        if (processes.containsKey(execId)) {
            throw new AlreadyExistsException("process " + execId + " of container " + config.id() + " exists");
        }
        FakeProcess started = process(execId, process, program);
        processes.put(execId, started);
        started.start();
        return started;
    }

    synchronized FakeProcess process(String id) {
        return Optional.ofNullable(processes.get(id))
                .orElseThrow(
                        () -> new NotFoundException("container " + config.id() + " has no process with the id " + id));
    }

    void signal(Signal signal) {
        all().forEach(process -> process.signal(signal));
    }

    void pause() {
        paused = true;
    }

    void resume() {
        paused = false;
        all().forEach(FakeProcess::wake);
    }

    void remove() {
        all().forEach(FakeProcess::discard);
    }

    void vanish() {
        all().forEach(FakeProcess::vanish);
    }

    synchronized void update(Resources changes) {
        resources = resources.with(changes);
    }

    synchronized Resources resources() {
        return resources;
    }

    List<Long> pids() {
        return live().stream().map(FakeProcess::pid).toList();
    }

    String table() {
        StringBuilder table = new StringBuilder("  PID COMMAND\n");
        live().forEach(process -> table.append(process.pid())
                .append(' ')
                .append(String.join(" ", process.config().command()))
                .append('\n'));
        return table.toString();
    }

    synchronized void script(ContainerStats stats) {
        scripted = stats;
    }

    synchronized ContainerStats stats() {
        if (scripted != null) {
            return scripted;
        }
        long running = live().size();
        long memory = running * MEMORY_OF_A_PROCESS;
        long limit = resources.memoryLimit().map(MemorySize::bytes).orElse(Long.MAX_VALUE);
        Duration cpu = Duration.ofMillis(all().size());
        return new ContainerStats(
                new ContainerStats.Cpu(cpu, cpu, Duration.ZERO, 0, 0, Duration.ZERO),
                new ContainerStats.Memory(memory, memory, limit, 0, 0, 0, 0, Map.of()),
                new ContainerStats.Pids(running, resources.pidsLimit().orElse(-1)),
                List.of(),
                Map.of(),
                List.of());
    }
}
