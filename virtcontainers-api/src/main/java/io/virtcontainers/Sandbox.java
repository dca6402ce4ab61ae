// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/**
 * A virtual machine and the containers in it. Thread-safe.
 *
 * <p>A sandbox is <em>scoped</em> by default: it ends with {@link #close}, with its {@link VirtContainers}, and with the
 * Java process, however that ends ({@code kill -9} included); other processes can see its status, and no more. A
 * <em>detached</em> one ({@link SandboxConfig#detached}) lives on until it is deleted, and every process of the same user
 * can fetch and use it.
 *
 * <p>Operations that change something take the sandbox's lock, across threads and processes, for their duration; each waits
 * for it at most some time and then throws {@link SandboxBusyException}. Waiting for a process and using its streams takes
 * no lock. All throw {@link NotFoundException} if the sandbox was deleted by another process.
 */
public interface Sandbox extends AutoCloseable {
    String id();

    SandboxConfig config();

    /** The state of {@link #status}. */
    State state();

    /**
     * The truth now: looks at the facts (the hypervisor's process, the containers' shims, the guest's word within a short
     * time), brings the sandbox and its containers to the states that they demand, and then reads them, all under the
     * exclusive lock. Waits for the lock at most five seconds, for the guest at most three, and for the end of a hypervisor
     * whose stop was cut off, which it finishes, at most ten.
     *
     * @throws SandboxBusyException if another operation, such as a boot, holds the lock for more than five seconds
     */
    SandboxStatus status();

    /**
     * Boots the virtual machine and waits for its agent. A stopped sandbox is booted again; its containers are then stopped,
     * and can be started again.
     *
     * @throws IllegalTransitionException unless the sandbox is ready or stopped
     * @throws DeadlineExceededException if the agent did not answer within {@link SandboxConfig#bootDeadline}
     * @throws HypervisorException if the virtual machine could not be started or died
     */
    void start();

    /**
     * Stops the containers and the virtual machine: the agent has two seconds to flush and end, the hypervisor ten to be
     * ended by ever harder means. What other threads wait for in the guest fails; a boot is cut off at once, other operations
     * get two seconds to end. An interrupt does not prevent it. Does nothing if the sandbox is stopped already.
     *
     * @throws SandboxBusyException if another process keeps the lock for more than a minute and the boot's deadline
     * @throws HypervisorException if the hypervisor cannot be ended; the sandbox is then what it was
     */
    void stop();

    /**
     * Halts the virtual processors; nothing in the guest runs, and no operation that needs the guest is possible.
     *
     * @throws IllegalTransitionException unless the sandbox is running
     */
    void pause();

    /**
     * Lets the virtual processors run on.
     *
     * @throws IllegalTransitionException unless the sandbox is paused
     */
    void resume();

    /** Removes the sandbox with all its files; stops it first. Does nothing if it is removed already. */
    void delete();

    /** A scoped sandbox: the same as {@link #delete}. A detached one: lets go of it, while it runs on. */
    @Override
    void close();

    /**
     * Creates a container; it does not run yet.
     *
     * @throws IllegalTransitionException unless the sandbox is running
     * @throws AlreadyExistsException if the sandbox has a container or a device of this id
     * @throws CommandNotFoundException if the program is not there or may not be executed
     */
    Container createContainer(ContainerConfig config);

    /** The containers that have not been deleted, in the order of their creation. */
    List<Container> containers();

    /**
     * The container with this id.
     *
     * @throws NotFoundException if there is none
     */
    Container container(String containerId);

    /**
     * What the sandbox costs the host, and what its running containers use.
     *
     * @throws IllegalTransitionException unless the sandbox is running
     */
    SandboxStats stats();

    /** What the caller attached to it: that of its configuration, and of {@link #annotate}. */
    Map<String, String> annotations();

    /** Adds annotations, or replaces those of the same keys. */
    void annotate(Map<String, String> annotations);

    /**
     * What happens in the sandbox from the subscription on, in order, while this object is connected to the machine, which
     * this does if it runs. Nothing is polled; what another process does shows with the next operation of this one. A subscriber that falls behind by more than 256 events loses the newest; the library logs it. The publisher
     * completes after {@link SandboxEvent.Deleted}, or when this object is closed.
     */
    Flow.Publisher<SandboxEvent> events();

    /**
     * Plugs in a device.
     *
     * @return where the guest finds it, in the notation of the Kata agent: for a disk the PCI slots {@code 02/1e}
     * @throws IllegalTransitionException unless the sandbox is running
     * @throws AlreadyExistsException if the sandbox has a device or a container of this id
     */
    String addDevice(Device device);

    /** Unplugs a device; returns when the guest has let go of it. Does nothing if there is none of this id. */
    void removeDevice(String deviceId);

    /** The network interfaces of the guest. */
    List<GuestInterface> interfaces();

    /**
     * Configures the guest's interface that has this hardware address: its name, addresses, MTU and flags.
     *
     * @return the interface as it is now
     * @throws NotFoundException if the guest has no interface of this hardware address
     */
    GuestInterface updateInterface(GuestInterface wanted);

    /** The routes of the guest. */
    List<GuestRoute> routes();

    /** Replaces all routes of the guest; gives back those that there are now. */
    List<GuestRoute> updateRoutes(List<GuestRoute> routes);

    /** Adds static entries to the guest's neighbour table. */
    void addNeighbors(List<GuestNeighbor> neighbors);

    /**
     * Plugs virtual processors and memory in or out, until the machine has these; lasts until it stops. How large it can
     * become is said at its start, by {@link MachineConfig#maxVcpus} and {@link GuestMemoryConfig#max}; it never becomes
     * smaller than it was started. Memory is added in multiples of 128 MiB, and goes back in the pieces in which it came.
     * After a failure the machine may have a part of what was asked; call it again.
     *
     * @throws InvalidConfigException if the machine cannot become so large or small
     * @throws HypervisorException if the guest refuses to let go of something
     * @throws DeadlineExceededException if the guest does not let go of something within a minute
     */
    void resize(int vcpus, MemorySize memory);

    /**
     * Replaces the limits of its cgroup on the host ({@link SandboxConfig#cgroup}). What is empty stays as it is, but for the
     * processors: empty are those of the parent.
     *
     * @throws UnsupportedException if it has none
     * @throws HostSetupException if the kernel refuses a limit
     */
    void limitCgroup(Resources limits);

    /**
     * Saves the sandbox with its containers, so that clones can go on from here ({@link VirtContainers#restore}). It is
     * halted meanwhile, some tenths of a second for each 100 MiB that its guest uses, and then runs on. The files take as
     * much of the state directory.
     *
     * @throws UnsupportedException with the reason, before anything is done, if it cannot be cloned: it has a network, live
     *     files of the host, a disk that can be written, the agent's channel VSOCK, another size than it was started with, or
     *     an agent that cannot be renamed
     * @throws IllegalTransitionException unless the sandbox is running
     * @throws VirtException if a hook fails
     */
    Snapshot snapshot(SnapshotConfig config);

    /** {@link #snapshot(SnapshotConfig)} without hooks. */
    default Snapshot snapshot() {
        return snapshot(SnapshotConfig.defaults());
    }

    /** Where the time went so far, in this Java process. */
    Timeline timeline();

    /**
     * What is known about the virtual machine now: the end of its console, the hypervisor's errors and events. Empty for a
     * sandbox that another Java process booted.
     */
    Diagnostics diagnostics();

    /**
     * Completes with the reason when the virtual machine has ended, whether it was asked to or not, on a thread that may be
     * blocked. For a detached sandbox this connects to the machine that runs now; one that another process starts later is
     * another one, and has another future.
     */
    CompletableFuture<String> onExit();
}
