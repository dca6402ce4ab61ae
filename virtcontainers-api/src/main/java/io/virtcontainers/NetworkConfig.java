// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.List;

/** What connects the guest to networks. */
public sealed interface NetworkConfig {

    /** No card, the default: nothing but localhost in the guest. */
    record None() implements NetworkConfig {}

    /**
     * QEMU's user network, without root: the guest reaches what this process can reach, by network address translation.
     *
     * @param forwards ports of the host that lead to ports of the guest
     */
    record User(List<PortForward> forwards) implements NetworkConfig {
        public User {
            forwards = List.copyOf(forwards);
        }
    }

    /**
     * A network namespace that the caller has set up, as CNI plugins do: each of its links that has an address becomes a
     * card of the guest with the link's hardware address, addresses, routes and neighbours. Needs root.
     *
     * @param path the namespace, for example {@code /var/run/netns/x} or {@code /proc/PID/ns/net}
     * @param model how links are wired
     */
    record Namespace(Path path, NetworkModel model) implements NetworkConfig {}

    /**
     * @param address the host's address to listen on; 127.0.0.1 unless others shall reach it
     * @param hostPort 1 to 65535
     * @param guestPort 1 to 65535
     * @param udp whether it is UDP, else TCP
     */
    record PortForward(String address, int hostPort, int guestPort, boolean udp) {}

    static NetworkConfig none() {
        return new None();
    }

    static NetworkConfig user(PortForward... forwards) {
        return new User(List.of(forwards));
    }
}
