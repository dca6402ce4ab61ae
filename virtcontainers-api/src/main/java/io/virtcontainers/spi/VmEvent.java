// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

/** Something that a virtual machine tells of its own accord; its end is told by {@link VirtualMachine#onExit}. */
public sealed interface VmEvent {

    /** The guest's kernel has panicked; the machine is about to end. */
    record GuestPanicked() implements VmEvent {}

    /** The virtual processors were halted, by whomever. */
    record Paused() implements VmEvent {}

    /** The virtual processors run on, at whosever command. */
    record Resumed() implements VmEvent {}

    /**
     * The host could not read or write a disk's image; the guest got an I/O error. Of many in a row, a few are told.
     *
     * @param device the id of the disk, or what the hypervisor calls it if another process plugged it in
     * @param write whether it was a write
     * @param reason what the host said, for example {@code No space left on device}
     */
    record DiskError(String device, boolean write, String reason) implements VmEvent {}
}
