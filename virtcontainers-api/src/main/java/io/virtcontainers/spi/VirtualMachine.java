// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.Diagnostics;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;

/** A virtual machine that was launched. Thread-safe. */
public interface VirtualMachine {
    /** The process id of the hypervisor on the host. */
    long pid();

    /** The way to the agent inside. */
    GuestChannel channel();

    /**
     * Plugs in a disk; returns when the hypervisor has it, while the guest may still be looking for it.
     *
     * @param id unique in this machine
     * @param image a raw image on the host
     * @return where the guest finds it, in the notation of the Kata agent: the slots of the bridge and of the device in
     *     two-digit hex, {@code 02/1e}
     * @throws io.virtcontainers.HypervisorException if the machine refuses it or has no free slot
     * @throws io.virtcontainers.DeadlineExceededException if the machine did not answer in time; the id and its slot then
     *     stay taken until {@link #removeBlockDevice} or {@link #stop}
     */
    String addBlockDevice(String id, Path image, boolean readOnly, Deadline deadline);

    /**
     * Unplugs a disk: returns when the guest has let go of it. Does nothing if there is no such disk.
     *
     * @throws io.virtcontainers.DeadlineExceededException if the guest does not let go; its slot stays taken, and another
     *     call waits on
     */
    void removeBlockDevice(String id, Deadline deadline);

    /** Completes with the reason when the machine has ended, asked to or not. Never completes exceptionally. */
    CompletableFuture<String> onExit();

    /** What the machine showed so far; never blocks on the guest. */
    Diagnostics diagnostics();

    /**
     * Ends the machine, by ever harder means, and returns when its process is proven dead. Does nothing if it is. The last
     * means, SIGKILL, gets a second of its own where the deadline leaves none.
     *
     * @throws io.virtcontainers.HypervisorException if it survives even SIGKILL within the deadline
     */
    void stop(Deadline deadline);
}
