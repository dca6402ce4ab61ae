// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A container in a sandbox. Thread-safe.
 *
 * <p>What changes its state or configuration, and {@link #status}, takes the sandbox's lock for its duration, across threads
 * and processes, and throws {@link SandboxBusyException} if another operation holds it for too long. What only asks the guest
 * (exec, kill, pids, process table, statistics, processes) takes none. All throw {@link NotFoundException} if the container
 * or its sandbox was deleted, also by another process.
 */
public interface Container {
    String id();

    /** What it was made of, with all {@link #update}s. */
    ContainerConfig config();

    /** The state of {@link #status}. */
    State state();

    /**
     * The truth now: looks at the facts (the hypervisor's process, the shim's, the guest's word within a short time), brings
     * the container to the state that they demand, and then reads it, all under the sandbox's exclusive lock. Never waits
     * for a guest that is hung.
     */
    ContainerStatus status();

    /**
     * Starts the init process; that of a stopped container again, with a fresh root file system.
     *
     * @throws IllegalTransitionException unless the container is ready or stopped, and its sandbox running
     */
    void start();

    /**
     * Ends all its processes by SIGKILL and gives back what it held in the virtual machine: its disk, its memory, its
     * output that was not read. Does nothing if it is stopped by this already.
     */
    void stop();

    /**
     * Freezes all its processes (cgroup freezer).
     *
     * @throws IllegalTransitionException unless the container is running
     */
    void pause();

    /**
     * Lets its processes run on.
     *
     * @throws IllegalTransitionException unless the container is paused
     */
    void resume();

    /**
     * Copies a regular file of the host into the container, with its mode and its numeric owner, in place of what is there.
     * The container must not have ended; its mounts count.
     *
     * @param target whose directory is there; it cannot lead out of the container
     * @throws IllegalTransitionException unless the sandbox is running
     * @throws HostSetupException if the host's file cannot be read
     * @throws AgentException if the container has ended, or does not have the directory
     */
    void copyIn(Path source, GuestPath target);

    /**
     * Copies a regular file of the container to the host, with its permissions but for setuid and setgid; it appears when it
     * is complete, in place of what is there. Symbolic links of the container stay inside it.
     *
     * @param max the most that the file may have
     * @throws IllegalTransitionException unless the sandbox is running
     * @throws AgentException if the container has ended, does not have the file, or it is larger than {@code max}
     */
    void copyOut(GuestPath source, Path target, MemorySize max);

    /** The init process. Its streams can be used before the start; a restart makes a new one. */
    GuestProcess process();

    /**
     * A process of this container by its id, to attach to it: the init process or one that {@link #exec} started, also in
     * another Java process. What its streams have given to one reader, no other gets.
     *
     * @throws NotFoundException if the guest knows no such process
     */
    GuestProcess process(String processId);

    /**
     * Starts one more process. The rights and limits that its configuration leaves open are those of the container's own
     * process, see {@link ProcessConfig}; it is killed as readily as that one when memory runs out.
     *
     * @throws IllegalTransitionException unless the container is running
     * @throws CommandNotFoundException if the program is not there or may not be executed
     */
    GuestProcess exec(ProcessConfig process);

    /**
     * Sends a signal to every process of the container; does nothing if it is stopped. For one process alone there is {@link
     * GuestProcess#signal}.
     */
    void kill(Signal signal);

    /**
     * The process ids, in the guest, of all processes of the container.
     *
     * @throws IllegalTransitionException unless the container is running or paused
     */
    List<Long> pids();

    /**
     * A table of the processes, for people, as {@code ps} prints it.
     *
     * @param psArguments for example {@code -ef}, which is the default if there are none
     * @throws IllegalTransitionException unless the container is running or paused
     */
    String processTable(String... psArguments);

    /**
     * What it uses now.
     *
     * @throws IllegalTransitionException unless the container is running or paused
     */
    ContainerStats stats();

    /**
     * Changes its limits; what is empty in {@code changes} stays as it is.
     *
     * @throws IllegalTransitionException unless the container is ready, running or paused
     */
    void update(Resources changes);

    /** What the caller attached to it: that of its configuration, and of {@link #annotate}. */
    Map<String, String> annotations();

    /** Adds annotations, or replaces those of the same keys. */
    void annotate(Map<String, String> annotations);

    /**
     * Makes a process of this host stand for the container, as Kata's shim does: an engine watches its pid. From now on the
     * container is stopped when that process is dead; {@link #status} looks. For detached sandboxes: the record outlives
     * this Java process.
     *
     * @throws IllegalTransitionException if the container is stopped
     * @throws NotFoundException if the process is dead already
     */
    void shim(HostProcess process);

    /**
     * Ends what still runs and removes the container from its sandbox, with all that it wrote. Does nothing if it is
     * removed already.
     */
    void delete();
}
