// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.NetworkConfig;
import java.util.List;

/** A network card of the guest (virtio-net), and what it is connected to on the host. */
public sealed interface NetworkCard {
    /** Unique in the machine: a letter, then up to 30 letters, digits and {@code -}. */
    String id();

    /** The same with another id. */
    NetworkCard withId(String other);

    /** The hardware address, {@code 02:00:ca:fe:00:01}, by which the guest finds it. */
    String hardwareAddress();

    /**
     * QEMU's user network.
     *
     * @param network its IPv4 network, {@code 10.0.2.0/24}
     */
    record User(String id, String hardwareAddress, String network, List<NetworkConfig.PortForward> forwards)
            implements NetworkCard {
        public User {
            forwards = List.copyOf(forwards);
        }

        @Override
        public NetworkCard withId(String other) {
            return new User(other, hardwareAddress, network, forwards);
        }
    }

    /**
     * A tap device of the network namespace in which the hypervisor runs, made before and persistent.
     *
     * @param device the tap's name
     * @param queues pairs of queues, 1 or more
     */
    record Tap(String id, String hardwareAddress, String device, int queues) implements NetworkCard {
        @Override
        public NetworkCard withId(String other) {
            return new Tap(other, hardwareAddress, device, queues);
        }
    }

    /**
     * A macvtap device of the network namespace in which the hypervisor runs.
     *
     * @param index its interface index, which names its character device, {@code /dev/tapINDEX}
     * @param queues pairs of queues, 1 or more
     */
    record Macvtap(String id, String hardwareAddress, int index, int queues) implements NetworkCard {
        @Override
        public NetworkCard withId(String other) {
            return new Macvtap(other, hardwareAddress, index, queues);
        }
    }
}
