// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/** What connects the guest to networks. */
public sealed interface NetworkConfig {

    /** No card, the default: nothing but localhost in the guest. */
    record None() implements NetworkConfig {}

    /**
     * QEMU's user network (libslirp), without root: the guest, 10.0.2.15, reaches by address translation what this process
     * can reach in IPv4 with TCP and UDP, <em>the localhost of the host included, as 10.0.2.2</em>. Names are resolved as
     * the host does.
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
     * card of the guest with the link's hardware address, MTU, addresses, routes and permanent neighbours. The hypervisor
     * runs in that namespace; what was added there is removed when the sandbox stops. Needs root.
     *
     * @param path the namespace, for example {@code /run/netns/x} or {@code /proc/PID/ns/net}
     * @param model how links are wired
     * @param dns lines of the containers' {@code /etc/resolv.conf}; none: each container has that of its image
     */
    record Namespace(Path path, NetworkModel model, List<String> dns) implements NetworkConfig {
        public Namespace {
            dns = List.copyOf(dns);
        }
    }

    /**
     * A network between the host and the guest alone, which the library makes and removes: a namespace of its own, and a
     * pair of veth links from there to the caller's namespace. What lies beyond the host is for the caller to route. Needs
     * root.
     *
     * @param addresses the guest's, with prefix lengths, IPv4 and IPv6: {@code 10.5.0.2/24}
     * @param hostAddresses those of the host's end, {@code 10.5.0.1/24}; the guest's default routes lead there
     * @param dns as in {@link Namespace}
     */
    record Veth(List<String> addresses, List<String> hostAddresses, List<String> dns) implements NetworkConfig {
        private static final Pattern ADDRESS = Pattern.compile("[0-9a-fA-F.:]{2,45}/[0-9]{1,3}");

        public Veth {
            addresses = List.copyOf(addresses);
            hostAddresses = List.copyOf(hostAddresses);
            dns = List.copyOf(dns);
            if (addresses.isEmpty()) {
                throw new InvalidConfigException("addresses of a veth network", "[]", "the guest needs at least one");
            }
            for (List<String> side : List.of(addresses, hostAddresses)) {
                for (String address : side) {
                    if (!ADDRESS.matcher(address).matches()) {
                        throw new InvalidConfigException(
                                "address", '"' + address + '"', "must be an address with its prefix, 10.5.0.2/24");
                    }
                }
            }
        }
    }

    /**
     * @param address the IPv4 address of the host to listen on; 127.0.0.1 unless others shall reach it
     * @param hostPort 1 to 65535
     * @param guestPort 1 to 65535
     * @param udp whether it is UDP, else TCP
     */
    record PortForward(String address, int hostPort, int guestPort, boolean udp) {
        private static final Pattern IPV4 = Pattern.compile("((25[0-5]|2[0-4]\\d|1?\\d?\\d)(\\.(?!$)|$)){4}");
        private static final int MAX_PORT = 65535;

        public PortForward {
            if (!IPV4.matcher(address).matches()) {
                throw new InvalidConfigException(
                        "address of a port forward", '"' + address + '"', "must be an IPv4 address such as 127.0.0.1");
            }
            for (int port : new int[] {hostPort, guestPort}) {
                if (port < 1 || port > MAX_PORT) {
                    throw new InvalidConfigException("port", Integer.toString(port), "must be 1 to " + MAX_PORT);
                }
            }
        }

        /** A TCP port of the host's localhost. */
        public static PortForward tcp(int hostPort, int guestPort) {
            return new PortForward("127.0.0.1", hostPort, guestPort, false);
        }
    }

    static NetworkConfig none() {
        return new None();
    }

    static NetworkConfig user(PortForward... forwards) {
        return new User(List.of(forwards));
    }

    /** A namespace that the caller has set up, wired by {@link NetworkModel#TCFILTER}. */
    static NetworkConfig namespace(Path path) {
        return new Namespace(path, NetworkModel.TCFILTER, List.of());
    }
}
