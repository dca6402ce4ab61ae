// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.Optional;

/** Something that happened in a sandbox; see {@link Sandbox#events}. */
public sealed interface SandboxEvent {

    /** The id of the sandbox. */
    String sandbox();

    /**
     * The sandbox or one of its containers changed its state.
     *
     * @param container the container, or empty for the sandbox itself
     * @param reason why, for example {@code start} or {@code the virtual machine ended: ...}
     */
    record StateChanged(String sandbox, Optional<String> container, State from, State to, String reason)
            implements SandboxEvent {}

    /**
     * A process has ended.
     *
     * @param process the container's id for its init process, else the id of the exec
     */
    record ProcessExited(String sandbox, String container, String process, ExitStatus exit) implements SandboxEvent {}

    /** The guest's kernel killed a process of the container because the container's memory was used up. */
    record OutOfMemory(String sandbox, String container) implements SandboxEvent {}

    /** The guest's kernel has panicked; {@link VmEnded} follows. */
    record GuestPanicked(String sandbox) implements SandboxEvent {}

    /**
     * The host could not read or write the image of a disk, and the guest got an I/O error. Of many in a row, a few are told.
     *
     * @param device the id of the device, or of the container whose root file system it is
     * @param write whether it was a write
     * @param reason what the host said, for example {@code No space left on device}
     */
    record DiskError(String sandbox, String device, boolean write, String reason) implements SandboxEvent {}

    /** The virtual machine has ended, asked to or not. */
    record VmEnded(String sandbox, String reason) implements SandboxEvent {}

    /** The sandbox was removed: the last event. */
    record Deleted(String sandbox) implements SandboxEvent {}
}
