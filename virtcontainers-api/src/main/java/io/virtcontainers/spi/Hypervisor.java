// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.HostCheck;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.UnsupportedException;
import java.nio.file.Path;
import java.util.List;

/** Launches virtual machines. Thread-safe. Its own threads end with {@link #close}; its machines must be stopped before. */
public interface Hypervisor extends AutoCloseable {

    /**
     * Starts a virtual machine; returns when the hypervisor runs the guest, not when the guest is up. If this throws,
     * nothing runs any more. Unless it is detached, the machine ends when this Java process ends, however it ends.
     *
     * @throws io.virtcontainers.HostSetupException if the hypervisor's program is missing or unusable
     * @throws io.virtcontainers.HypervisorException if it refuses the configuration or dies
     */
    VirtualMachine launch(VmConfig config, Phases phases, Deadline deadline);

    /**
     * What all machines have in common that can go on from one saved state.
     *
     * @param config its id, directory and memory image do not count
     * @throws io.virtcontainers.UnsupportedException with what hinders it, if such a machine cannot be saved or cloned
     */
    default MachineKey templateKey(VmConfig config, Phases phases, Deadline deadline) {
        throw new UnsupportedException("this hypervisor has no templates");
    }

    /**
     * Saves a machine that runs, with its memory. It is halted for that, and runs on when this returns, also by an
     * exception.
     *
     * @param source a machine of this hypervisor
     * @param as the same machine with a directory of its own, its memory image a {@link MemoryImage.Copy}, and the disks
     *     that are plugged in; nothing runs in that directory when this returns
     * @param state a file to make
     * @throws io.virtcontainers.UnsupportedException with what hinders it, before the machine is halted
     */
    default void copy(VirtualMachine source, VmConfig as, Path state, Phases phases, Deadline deadline) {
        throw new UnsupportedException("this hypervisor has no snapshots");
    }

    /**
     * Attaches to a detached machine that another process launched, or this one before. The caller holds the sandbox's lock
     * whenever it calls a method of the machine that takes a deadline; between such calls the machine keeps no connection
     * that would hinder other processes.
     *
     * @param directory the sandbox's directory, as in {@link VmConfig#directory}
     * @param settings with which it was launched
     * @param process the hypervisor's process, as {@link VirtualMachine#process} gave it
     * @throws io.virtcontainers.VmDiedException if that process is dead
     */
    VirtualMachine attach(
            String sandboxId, Path directory, HypervisorConfig settings, HostProcess process, Deadline deadline);

    /**
     * Ends whatever runs for the sandbox in this directory, identified beyond doubt (never by a bare pid). Does not delete
     * files. Does nothing if there is nothing.
     *
     * @throws io.virtcontainers.HypervisorException if a process of the sandbox cannot be ended
     */
    void reap(Path sandboxDirectory, Deadline deadline);

    /** What machines with such settings need of the host, and how it is; see {@link io.virtcontainers.VirtContainers#check}. */
    default List<HostCheck> check(HypervisorConfig settings, Deadline deadline) {
        return List.of();
    }

    @Override
    void close();
}
