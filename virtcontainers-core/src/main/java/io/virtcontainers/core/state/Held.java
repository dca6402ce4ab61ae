// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import static java.util.Objects.requireNonNull;

import java.util.OptionalInt;

/**
 * An entry of a sandbox's undo journal: something that it holds, or is about to acquire. The entry is on disk before the
 * act, and leaves the journal when the undo has succeeded; undoing what was never acquired does nothing.
 *
 * @param kind what it is
 * @param id the container or device that it belongs to, or what it is; empty for the virtual machine
 */
public record Held(Kind kind, String id) {
    public Held {
        requireNonNull(kind, "kind");
        requireNonNull(id, "id");
    }

    /** In the order of acquisition; undone in the opposite one. */
    public enum Kind {
        /** What was added to the network namespace that is meant by the id. */
        NETWORK,
        /** The control group of the host whose path is the id. */
        CGROUP,
        /** The hypervisor's process, with the files in the directory {@code vm}. Its end is also the end of all below. */
        VM,
        /** A device plugged into the virtual machine. */
        DEVICE,
        /** What the card of a link that was plugged in needs in the namespace; all of it ends with NETWORK too. */
        LINK,
        /** A container inside the guest. */
        GUEST_CONTAINER;

        /** Whether it is something of the host that does not end with the hypervisor's process. */
        public boolean outlivesTheMachine() {
            return switch (this) {
                case NETWORK, CGROUP -> true;
                case VM, DEVICE, LINK, GUEST_CONTAINER -> false;
            };
        }
    }

    public static final Held VM = new Held(Kind.VM, "");

    public static Held network(String identity) {
        return new Held(Kind.NETWORK, identity);
    }

    public static Held cgroup(String path) {
        return new Held(Kind.CGROUP, path);
    }

    public static Held device(String id) {
        return new Held(Kind.DEVICE, id);
    }

    /** @param index of the link in its namespace */
    public static Held link(String deviceId, int index) {
        return new Held(Kind.LINK, deviceId + " " + index);
    }

    /** The index of the link of this device, if this is one. */
    public OptionalInt linkOf(String deviceId) {
        return kind == Kind.LINK && id.startsWith(deviceId + " ")
                ? OptionalInt.of(Integer.parseInt(id.substring(deviceId.length() + 1)))
                : OptionalInt.empty();
    }

    public static Held guestContainer(String id) {
        return new Held(Kind.GUEST_CONTAINER, id);
    }
}
