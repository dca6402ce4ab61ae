// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.network;

import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.spi.NetworkCard;
import java.security.SecureRandom;
import java.util.List;
import java.util.Optional;

/** QEMU's user network, with the addresses that libslirp has by default. */
final class UserNetwork {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String NAME = "eth0";

    private UserNetwork() {}

    static GuestNetwork of(NetworkConfig.User config) {
        String mac = randomHardwareAddress();
        return new GuestNetwork(
                List.of(new NetworkCard.User("net0", mac, config.forwards())),
                Optional.empty(),
                List.of(new GuestInterface(NAME, NAME, List.of("10.0.2.15/24"), 0, mac, false)),
                List.of(new GuestRoute("", "10.0.2.2", NAME, "", 0)),
                List.of(),
                List.of("nameserver 10.0.2.3"));
    }

    /** Locally administered, for one machine. */
    private static String randomHardwareAddress() {
        byte[] bytes = new byte[5];
        RANDOM.nextBytes(bytes);
        StringBuilder text = new StringBuilder("02");
        for (byte b : bytes) {
            text.append(String.format(":%02x", b));
        }
        return text.toString();
    }
}
