// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestPath;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.MemorySize;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * An agent, connected or connecting: the operations of {@code grpc.AgentService} of Kata Containers 1.x that the engine uses. Thread-safe.
 * Every method that takes a deadline throws {@link io.virtcontainers.DeadlineExceededException} when it passes,
 * {@link io.virtcontainers.CancelledException} when its thread is interrupted, and
 * {@link io.virtcontainers.AgentException} when the agent refuses.
 */
public interface Agent extends AutoCloseable {
    /**
     * Returns when the agent has answered for the first time. An {@link #abort} from another thread ends the wait at once
     * with its reason, so that nobody waits for the agent of a machine that has died.
     *
     * @throws io.virtcontainers.DeadlineExceededException if it did not answer in time; the message says what was tried
     */
    void awaitReady(Deadline deadline);

    /**
     * Returns when the agent has answered now (Health/Check): always a round trip to the guest, never a memory.
     *
     * @throws io.virtcontainers.DeadlineExceededException if it did not answer in time
     */
    void check(Deadline deadline);

    /**
     * Tells the guest that it is this sandbox now (CreateSandbox); once, before any container.
     *
     * @throws io.virtcontainers.AlreadyExistsException if it has been told before
     */
    void createSandbox(GuestSandbox sandbox, Deadline deadline);

    /** A sandbox with nothing but a name. */
    default void createSandbox(String sandboxId, String hostname, Deadline deadline) {
        createSandbox(GuestSandbox.of(sandboxId, hostname), deadline);
    }

    /**
     * Tells the guest that it is another sandbox from now on: a clone. It gets fresh randomness from the host, this time and
     * this host name, also for its containers that run; then those that are named run on (RenewSandbox, which is beyond Kata
     * Containers 1.x).
     *
     * @param time not before 1970
     * @param resumed paused containers
     * @throws io.virtcontainers.UnsupportedException if the agent cannot
     */
    void renewSandbox(String sandboxId, String hostname, Instant time, List<String> resumed, Deadline deadline);

    /** Ends all containers and flushes the guest's disks (DestroySandbox). */
    void destroySandbox(Deadline deadline);

    /**
     * Creates a container (CreateContainer).
     *
     * @param root its root file system
     * @param storages further mounts, made before it and unmounted after its removal; its specification binds them
     * @param mounts what it sees besides what its specification says, after that
     * @param devices disks that it gets as devices
     * @throws io.virtcontainers.CommandNotFoundException if its program is not there or may not be executed
     */
    void createContainer(
            ContainerConfig container,
            ContainerRoot root,
            List<GuestStorage> storages,
            List<GuestMount> mounts,
            List<GuestDevice> devices,
            Deadline deadline);

    /**
     * A container on a disk with EROFS, without further storages, mounts and devices.
     *
     * @param rootfsDevice the PCI slots that {@link VirtualMachine#addDevice} returned for the disk
     */
    default void createContainer(ContainerConfig container, String rootfsDevice, Deadline deadline) {
        ContainerRoot root = ContainerRoot.layered(container.id(), "blk", rootfsDevice);
        createContainer(container, root, List.of(), List.of(), List.of(), deadline);
    }

    /** Lets the init process run (StartContainer). */
    void startContainer(String containerId, Deadline deadline);

    /** Ends what lives in the container and removes it (RemoveContainer). Does nothing if it is unknown. */
    void removeContainer(String containerId, Deadline deadline);

    /** Sends a signal to every process of the container (SignalProcess without an exec id). */
    void signalContainer(String containerId, Signal signal, Deadline deadline);

    /**
     * Starts a further process in a container (ExecProcess). After a deadline or an interrupt it is unknown whether it runs.
     *
     * @param execId unique in the container
     */
    GuestProcess exec(String containerId, String execId, ProcessConfig process, Deadline deadline);

    /**
     * A process that was created before, here or by another process of the host: waits for its end from now on.
     *
     * @param processId the container's id for its init process, else the exec id
     * @param terminal whether it has a terminal; it has then no standard error of its own
     */
    GuestProcess process(String containerId, String processId, boolean terminal);

    /**
     * Whether a process has ended, and how, if the agent can tell at once (WaitProcess, answered before a Check that follows
     * it).
     *
     * @throws io.virtcontainers.NotFoundException if the agent knows no such process
     */
    Optional<ExitStatus> exitOf(String containerId, String processId, Deadline deadline);

    /** Freezes a container's processes (PauseContainer). */
    void pauseContainer(String containerId, Deadline deadline);

    /** Lets a container's processes run on (ResumeContainer). */
    void resumeContainer(String containerId, Deadline deadline);

    /** What a container uses (StatsContainer). */
    ContainerStats stats(String containerId, Deadline deadline);

    /** Sets those limits of a container that are not empty (UpdateContainer). */
    void updateContainer(String containerId, Resources resources, Deadline deadline);

    /** The guest's pids of a container's processes (ListProcesses, format json); empty if it has ended. */
    List<Long> pids(String containerId, Deadline deadline);

    /** A table of a container's processes (ListProcesses, format table). */
    String processTable(String containerId, List<String> psArguments, Deadline deadline);

    /**
     * Reports containers in which the guest's kernel killed a process for want of memory, until the connection ends
     * (GetOOMEvent, again and again); an agent without that method reports nothing. Call it once, after {@link #awaitReady}.
     *
     * @param listener gets the container's id, on a thread of the connector; must not block
     */
    void onOutOfMemory(Consumer<String> listener);

    /** The guest's network interfaces (ListInterfaces). */
    List<GuestInterface> interfaces(Deadline deadline);

    /** Configures the interface with this hardware address (UpdateInterface); gives it back as it is now. */
    default GuestInterface updateInterface(GuestInterface wanted, Deadline deadline) {
        return updateInterface(wanted, "", deadline);
    }

    /**
     * As {@link #updateInterface(GuestInterface, Deadline)}, of a card that was just plugged in: waits until it is there.
     *
     * @param pciPath what {@link VirtualMachine#addCard} returned
     */
    GuestInterface updateInterface(GuestInterface wanted, String pciPath, Deadline deadline);

    /** The guest's routes (ListRoutes). */
    List<GuestRoute> routes(Deadline deadline);

    /** Replaces the guest's routes (UpdateRoutes); gives back those that there are now. */
    List<GuestRoute> updateRoutes(List<GuestRoute> routes, Deadline deadline);

    /** Adds static neighbours (AddARPNeighbors). */
    void addNeighbors(List<GuestNeighbor> neighbors, Deadline deadline);

    /** What the agent and its kernel can do (GetGuestDetails); also before {@link #createSandbox}. */
    GuestDetails details(Deadline deadline);

    /**
     * Sends a file of the host with its mode and its numeric owner (CopyFile); also before {@link #createSandbox}. It appears
     * in the guest when it is complete, in place of what was there. After a failure a part may be left, {@code target.tmp},
     * which another attempt writes anew.
     *
     * @param source a regular file, or a symbolic link to one
     * @param target below {@code /run/kata-containers}; the agent makes the directories
     * @throws io.virtcontainers.HostSetupException if the host's file cannot be read, or becomes shorter meanwhile
     */
    void copyFile(Path source, GuestPath target, Deadline deadline);

    /**
     * As {@link #copyFile}, to a path of a container, whose directory must be there (WriteFile, which is beyond Kata
     * Containers 1.x). The path cannot lead out of the container.
     *
     * @throws io.virtcontainers.UnsupportedException if the agent cannot
     */
    void copyIn(String containerId, Path source, GuestPath target, Deadline deadline);

    /**
     * Fetches a regular file of a container (ReadFile, which is beyond Kata Containers 1.x). The path cannot lead out of the
     * container. The file of the host appears when it is complete, in place of what was there.
     *
     * @param max the most that it may have, else it is an error; it can change while it is read
     * @throws io.virtcontainers.UnsupportedException if the agent cannot
     */
    void copyOut(String containerId, GuestPath source, Path target, MemorySize max, Deadline deadline);

    /**
     * Sets the guest's clock (SetGuestDateTime), which is wrong after a clone or a long pause.
     *
     * @param time not before 1970
     */
    void setTime(Instant time, Deadline deadline);

    /** Gives the guest fresh randomness from the host (ReseedRandomDev), for a clone that has that of its template. */
    void reseedRandom(Deadline deadline);

    /**
     * Puts plugged processors to use (OnlineCPUMem); returns when so many have newly been.
     *
     * @param count 0 or more; processors that are in use already do not count
     * @throws io.virtcontainers.DeadlineExceededException if so many do not appear within a few seconds, by the agent's count
     */
    void onlineCpus(int count, Deadline deadline);

    /** Puts plugged memory, and processors, to use (OnlineCPUMem). */
    void onlineMemory(Deadline deadline);

    /**
     * Tells a kernel that does not find out by itself where memory was plugged in (MemHotplugByProbe); only if {@link
     * GuestDetails#memoryProbe}.
     *
     * @param addresses of the guest's physical memory, one for each {@link GuestDetails#memoryBlock}
     */
    void probeMemory(List<Long> addresses, Deadline deadline);

    /** Whether the agent writes each call to the guest's console, with its time and result (StartTracing, StopTracing). */
    void trace(boolean on, Deadline deadline);

    /**
     * Fails every call and stream that is under way, and all later ones, with this error, and drops the connection. For
     * an engine that knows that the virtual machine has ended, and why.
     */
    void abort(VirtException reason);

    /** Drops the connection; what is under way fails. */
    @Override
    void close();
}
