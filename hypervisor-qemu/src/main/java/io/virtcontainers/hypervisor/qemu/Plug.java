// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * A device to plug in: first its host's side, by one QMP command, then the device that the guest sees.
 *
 * @param id the caller's
 * @param what it is, for errors: {@code the disk /x.img}
 * @param bus where it goes
 * @param host the command that makes the host's side, and its arguments but for the name; empty if there is none
 * @param device the properties of the device, but for its name and place
 */
record Plug(String id, String what, Bus bus, Optional<HostSide> host, Map<String, ?> device) {
    /**
     * @param command a QMP command
     * @param name the argument that takes the name of what is made
     * @param arguments all others
     * @param reference the property of the device that names it
     */
    record HostSide(String command, String name, Map<String, ?> arguments, String reference) {}

    /** What devices are plugged into. */
    enum Bus {
        /** The first bridge. Slot 0 is never used by bridges, 31 has the agent's port. */
        PCI("slot", 1, 30),
        /** The targets of the one virtio-scsi controller. */
        SCSI("scsi", 0, 254),
        /** The virtio-serial controller of the agent, which has room for a few ports more. */
        SERIAL("serial-", 0, -1);

        private final String prefix;
        private final int first;
        private final int last;

        Bus(String prefix, int first, int last) {
            this.prefix = prefix;
            this.first = first;
            this.last = last;
        }

        static String names() {
            return Arrays.stream(values()).map(Bus::prefix).collect(Collectors.joining("|"));
        }

        String prefix() {
            return prefix;
        }

        int first() {
            return first;
        }

        int last() {
            return last;
        }

        /** Whether the device's place is chosen here, else by QEMU. */
        boolean hasPlaces() {
            return last >= first;
        }
    }
}
