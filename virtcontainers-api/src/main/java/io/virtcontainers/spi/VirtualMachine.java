// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.Device;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.HostProcess;
import io.virtcontainers.MemorySize;
import io.virtcontainers.UnsupportedException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/** A virtual machine that was launched, or attached to. Thread-safe. */
public interface VirtualMachine {
    /** The hypervisor's process on the host. */
    HostProcess process();

    /**
     * The ways to the agent inside, at least one. Of {@linkplain GuestChannel#exclusive exclusive} ones a detached machine
     * has several, for several processes of the host.
     */
    List<GuestChannel> channels();

    /**
     * Plugs in a device; returns when the hypervisor has it, while the guest may still be looking for it.
     *
     * @param device its id is unique in this machine
     * @return where the guest finds it, in the notation of the Kata agent: of a disk the slots of the bridge and of the
     *     device in two-digit hex, {@code 02/1e}
     * @throws io.virtcontainers.HypervisorException if the machine refuses it or has no free slot
     * @throws io.virtcontainers.UnsupportedException if this kind of machine cannot take it
     * @throws io.virtcontainers.DeadlineExceededException if the machine did not answer in time; the id and its slot then
     *     stay taken until {@link #removeDevice} or {@link #stop}
     */
    String addDevice(Device device, Deadline deadline);

    /**
     * Plugs in a network card, as {@link #addDevice}; it is removed by {@link #removeDevice} with its id. Its host's side, a
     * tap device, is the caller's to make and to remove.
     *
     * @return where the guest finds it: the PCI slots
     */
    default String addCard(NetworkCard card, Deadline deadline) {
        throw new UnsupportedException("this machine takes no network cards while it runs");
    }

    /**
     * Unplugs a device: returns when the guest has let go of it. Does nothing if there is none of this id. Finds a device by
     * its id also if another process plugged it in, and if that process died in the middle of it.
     *
     * @throws io.virtcontainers.DeadlineExceededException if the guest does not let go; its slot stays taken, and another
     *     call waits on
     */
    void removeDevice(String id, Deadline deadline);

    /**
     * Plugs processors and memory in or out, until there are these; returns when the guest has taken or left them; it may
     * still have to put them to use. After a failure the machine may have a part of what was asked.
     *
     * @return how large it is now
     * @throws io.virtcontainers.InvalidConfigException if it cannot become so large or small, see {@code
     *     MachineConfig.maxVcpus} and {@code GuestMemoryConfig.max}
     * @throws io.virtcontainers.HypervisorException if the guest refuses to let go of something
     * @throws io.virtcontainers.DeadlineExceededException if it does not let go of it in time
     */
    default MachineSize resize(int vcpus, MemorySize memory, Deadline deadline) {
        throw new UnsupportedException("this machine cannot be resized");
    }

    /** Whether processors or memory are plugged in that were not there at the start: asks the hypervisor. */
    default boolean isResized(Deadline deadline) {
        return false;
    }

    /** How large the machine is now: asks the hypervisor. */
    default MachineSize size(Deadline deadline) {
        throw new UnsupportedException("this machine does not tell its size");
    }

    /** Those of these disks that are plugged in: asks the hypervisor. */
    default List<PluggedDisk> disks(Collection<String> ids, Deadline deadline) {
        throw new UnsupportedException("this machine does not tell its disks");
    }

    /** The other processes of the host that serve this machine alone and end with it, by their ids. */
    default List<Long> servants() {
        return List.of();
    }

    /** The threads of the host that are its virtual processors, by their ids; none where they cannot be told apart. */
    default List<Long> processorThreads(Deadline deadline) {
        return List.of();
    }

    /**
     * Halts the machine and writes its state without its memory, which is in the file of its {@link MemoryImage.Template}.
     * The machine can only be stopped then.
     *
     * @param state a file to make
     */
    default void save(Path state, Deadline deadline) {
        throw new UnsupportedException("this machine cannot be saved");
    }

    /** Halts the virtual processors. Does nothing if they are halted. */
    void pause(Deadline deadline);

    /** Lets the virtual processors run on. Does nothing if they run. */
    void resume(Deadline deadline);

    /** Whether the virtual processors are halted now: asks the hypervisor. */
    boolean isPaused(Deadline deadline);

    /** Completes with the reason when the machine has ended, asked to or not. Never completes exceptionally. */
    CompletableFuture<String> onExit();

    /**
     * Has a listener told what happens from now on, in its order, in place of an earlier listener. It must not block. Who
     * attached to a detached machine may miss what happens between his calls; who launched it does not.
     */
    void onEvent(Consumer<VmEvent> listener);

    /** What the machine showed so far; never blocks on the guest. */
    Diagnostics diagnostics();

    /**
     * Ends the machine, by ever harder means, and returns when its process is proven dead. Does nothing if it is. The last
     * means, SIGKILL, gets a second of its own where the deadline leaves none.
     *
     * @throws io.virtcontainers.HypervisorException if it survives even SIGKILL within the deadline
     */
    void stop(Deadline deadline);

    /**
     * Lets go of the machine: closes what this process has open of it. A detached machine runs on; {@link #onExit} never
     * completes then. Does nothing after the machine's end, or after another {@code release}.
     */
    void release();
}
