// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.AgentException;
import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestPath;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.Signal;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.ContainerRoot;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.GuestDetails;
import io.virtcontainers.spi.GuestDevice;
import io.virtcontainers.spi.GuestMount;
import io.virtcontainers.spi.GuestSandbox;
import io.virtcontainers.spi.GuestStorage;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One connection to the agent of a {@link FakeVirtualMachine}; its programs are {@link FakeProgram}s. What it makes in the
 * guest stays there when it is dropped. It is silent while the machine is paused, after its end, and while another
 * connection uses its channel. Thread-safe.
 */
public final class FakeAgent implements Agent {
    private static final int COMMAND_NOT_FOUND = 127;

    private final GuestChannel channel;
    private final FakeGuest guest;
    private final Faults faults;
    private final Map<String, FakeProgram> programs;
    private final Set<FakeGuestProcess> handles = ConcurrentHashMap.newKeySet();
    private final List<Consumer<String>> outOfMemory = new CopyOnWriteArrayList<>();
    private final CompletableFuture<Void> aborted = new CompletableFuture<>();
    private volatile @Nullable VirtException reason;

    FakeAgent(GuestChannel channel, FakeGuest guest, Faults faults, Map<String, FakeProgram> programs) {
        this.channel = channel;
        this.guest = guest;
        this.faults = faults;
        this.programs = programs;
    }

    /** The ids of the containers that exist in the guest, sorted. */
    public List<String> containers() {
        return guest.containers();
    }

    /** The limits of a container: those of its configuration, with all updates. */
    public Resources resources(String containerId) {
        return guest.container(containerId).resources();
    }

    /** From now on these are the container's statistics. */
    public void stats(String containerId, ContainerStats stats) {
        guest.container(containerId).script(stats);
    }

    /** Reports to all connections that the guest's kernel killed a process of this container for want of memory. */
    public void outOfMemory(String containerId) {
        guest.connections()
                .forEach(agent -> agent.outOfMemory.forEach(
                        listener -> FakeAgents.CALLBACKS.execute(() -> listener.accept(containerId))));
    }

    /** The static neighbours that were added. */
    public List<GuestNeighbor> neighbors() {
        return guest.network().neighbors();
    }

    /** The sandbox that the guest was told to be, if it was. */
    public Optional<GuestSandbox> sandbox() {
        return guest.sandbox();
    }

    /** The content of a file that was copied into the guest. */
    public Optional<byte[]> file(GuestPath path) {
        return guest.system().file(path);
    }

    /** What the guest's clock was last set to, if it was. */
    public Optional<Instant> time() {
        return guest.system().time();
    }

    /** How often the guest got fresh randomness. */
    public int reseedings() {
        return guest.system().reseedings();
    }

    /** Whether it was neither closed nor aborted. */
    public boolean isConnected() {
        return reason == null;
    }

    /** The way to the guest that it was made for. */
    public GuestChannel channel() {
        return channel;
    }

    void requireConnected() {
        VirtException error = reason;
        if (error != null) {
            throw error;
        }
    }

    void awaitAnswer(Deadline deadline, String awaited) {
        guest.awaitAnswer(this, deadline, awaited);
    }

    /** An answer: on this thread, or on one of its own if there is a script, so that an abort also ends its hang. */
    private <T> T call(String operation, Deadline deadline, Supplier<T> act) {
        String awaited = "the agent's answer to " + operation;
        Supplier<T> answer = () -> {
            awaitAnswer(deadline, awaited);
            return act.get();
        };
        if (!faults.isScripted(operation)) {
            return faults.run(operation, deadline, aborted, answer);
        }
        CompletableFuture<T> result = new CompletableFuture<>();
        var unused = aborted.exceptionally(error -> {
            result.completeExceptionally(error);
            return null;
        });
        Thread worker = new Thread(
                () -> {
                    try {
                        result.complete(faults.run(operation, deadline, aborted, answer));
                    } catch (RuntimeException | Error e) {
                        result.completeExceptionally(e);
                    }
                },
                "fake-agent-" + operation);
        worker.setDaemon(true);
        worker.start();
        try {
            return deadline.await(result, awaited);
        } finally {
            worker.interrupt();
        }
    }

    void run(String operation, Deadline deadline, Runnable act) {
        boolean unused = call(operation, deadline, () -> {
            act.run();
            return true;
        });
    }

    @Override
    public void awaitReady(Deadline deadline) {
        run("awaitReady", deadline, () -> {});
    }

    @Override
    public void check(Deadline deadline) {
        run("check", deadline, () -> {});
    }

    @Override
    public void createSandbox(GuestSandbox sandbox, Deadline deadline) {
        run("createSandbox", deadline, () -> guest.createSandbox(sandbox));
    }

    @Override
    public void renewSandbox(String sandboxId, String hostname, Instant time, List<String> resumed, Deadline deadline) {
        run("renewSandbox", deadline, () -> {
            guest.renameSandbox(sandboxId, hostname);
            guest.system().reseed();
            guest.system().setTime(time);
            resumed.forEach(id -> guest.container(id).resume());
        });
    }

    @Override
    public void destroySandbox(Deadline deadline) {
        run("destroySandbox", deadline, guest::destroySandbox);
    }

    @Override
    public void createContainer(
            ContainerConfig container,
            ContainerRoot root,
            List<GuestStorage> storages,
            List<GuestMount> mounts,
            List<GuestDevice> devices,
            Deadline deadline) {
        run("createContainer", deadline, () -> guest.create(container, root, program(container.process())));
    }

    private FakeProgram program(ProcessConfig process) {
        String name = process.command().get(0);
        return Optional.ofNullable(programs.get(name))
                .orElseThrow(() -> new CommandNotFoundException("there is no program " + name, COMMAND_NOT_FOUND));
    }

    @Override
    public void startContainer(String containerId, Deadline deadline) {
        run("startContainer", deadline, () -> guest.container(containerId).start());
    }

    @Override
    public void removeContainer(String containerId, Deadline deadline) {
        run("removeContainer", deadline, () -> guest.remove(containerId));
    }

    @Override
    public void signalContainer(String containerId, Signal signal, Deadline deadline) {
        run("signalContainer", deadline, () -> guest.container(containerId).signal(signal));
    }

    @Override
    public GuestProcess exec(String containerId, String execId, ProcessConfig config, Deadline deadline) {
        boolean terminal = config.terminal().isPresent();
        return call(
                "exec",
                deadline,
                () -> handle(guest.container(containerId).exec(execId, config, program(config)), terminal));
    }

    /** Asks nobody, as for a real agent: of an unknown process only the end and the streams fail. */
    @Override
    public GuestProcess process(String containerId, String processId, boolean terminal) {
        Supplier<GuestProcess> known = () -> {
            try {
                return handle(guest.container(containerId).process(processId), terminal);
            } catch (NotFoundException unknown) {
                return handle(FakeProcess.unknown(guest, processId, unknown), terminal);
            }
        };
        return faults.run("process", Deadline.after(java.time.Duration.ZERO), aborted, known);
    }

    private GuestProcess handle(FakeProcess process, boolean terminal) {
        FakeGuestProcess handle = new FakeGuestProcess(this, process, terminal);
        handles.add(handle);
        var unused = handle.onExit().whenComplete((exit, error) -> handles.remove(handle));
        VirtException error = reason;
        if (error != null) {
            handle.fail(error);
        }
        return handle;
    }

    @Override
    public Optional<ExitStatus> exitOf(String containerId, String processId, Deadline deadline) {
        return call("exitOf", deadline, () -> {
            var exit = guest.container(containerId).process(processId).exit();
            return exit.isDone() ? Optional.of(exit.join()) : Optional.empty();
        });
    }

    @Override
    public void pauseContainer(String containerId, Deadline deadline) {
        run("pauseContainer", deadline, () -> guest.container(containerId).pause());
    }

    @Override
    public void resumeContainer(String containerId, Deadline deadline) {
        run("resumeContainer", deadline, () -> guest.container(containerId).resume());
    }

    @Override
    public ContainerStats stats(String containerId, Deadline deadline) {
        return call("stats", deadline, () -> guest.container(containerId).stats());
    }

    @Override
    public void updateContainer(String containerId, Resources resources, Deadline deadline) {
        run("updateContainer", deadline, () -> guest.container(containerId).update(resources));
    }

    @Override
    public List<Long> pids(String containerId, Deadline deadline) {
        return call("pids", deadline, () -> guest.container(containerId).pids());
    }

    @Override
    public String processTable(String containerId, List<String> psArguments, Deadline deadline) {
        return call("processTable", deadline, () -> guest.container(containerId).table());
    }

    @Override
    public void onOutOfMemory(Consumer<String> listener) {
        faults.run("onOutOfMemory", () -> outOfMemory.add(listener));
    }

    @Override
    public List<GuestInterface> interfaces(Deadline deadline) {
        return call("interfaces", deadline, guest.network()::interfaces);
    }

    @Override
    public GuestInterface updateInterface(GuestInterface wanted, String pciPath, Deadline deadline) {
        return call("updateInterface", deadline, () -> guest.network().update(wanted));
    }

    @Override
    public List<GuestRoute> routes(Deadline deadline) {
        return call("routes", deadline, guest.network()::routes);
    }

    @Override
    public List<GuestRoute> updateRoutes(List<GuestRoute> routes, Deadline deadline) {
        return call("updateRoutes", deadline, () -> guest.network().replace(routes));
    }

    @Override
    public void addNeighbors(List<GuestNeighbor> neighbors, Deadline deadline) {
        run("addNeighbors", deadline, () -> guest.network().add(neighbors));
    }

    @Override
    public GuestDetails details(Deadline deadline) {
        return call("details", deadline, FakeSystem::details);
    }

    @Override
    public void copyFile(Path source, GuestPath target, Deadline deadline) {
        run("copyFile", deadline, () -> guest.system().copy(source, target));
    }

    @Override
    public void copyIn(String containerId, Path source, GuestPath target, Deadline deadline) {
        throw new UnsupportedException("fake containers have no files");
    }

    @Override
    public void copyOut(String containerId, GuestPath source, Path target, MemorySize max, Deadline deadline) {
        throw new UnsupportedException("fake containers have no files");
    }

    @Override
    public void setTime(Instant time, Deadline deadline) {
        run("setTime", deadline, () -> guest.system().setTime(time));
    }

    @Override
    public void reseedRandom(Deadline deadline) {
        run("reseedRandom", deadline, guest.system()::reseed);
    }

    @Override
    public void onlineCpus(int count, Deadline deadline) {
        run("onlineCpus", deadline, () -> FakeSystem.online(count));
    }

    @Override
    public void onlineMemory(Deadline deadline) {
        run("onlineMemory", deadline, () -> {});
    }

    @Override
    public void probeMemory(List<Long> addresses, Deadline deadline) {
        run("probeMemory", deadline, () -> {
            throw new AgentException("FAILED_PRECONDITION: the guest's kernel takes no addresses of plugged memory");
        });
    }

    @Override
    public void trace(boolean on, Deadline deadline) {
        run("trace", deadline, () -> {});
    }

    @Override
    public void abort(VirtException error) {
        faults.run("abort", () -> drop(error));
    }

    @Override
    public void close() {
        faults.run("close", () -> drop(new AgentException("the connection to the agent was closed")));
    }

    private void drop(VirtException error) {
        synchronized (this) {
            if (reason != null) {
                return;
            }
            reason = error;
        }
        guest.disconnected(this);
        aborted.completeExceptionally(error);
        handles.forEach(handle -> handle.fail(error));
    }
}
