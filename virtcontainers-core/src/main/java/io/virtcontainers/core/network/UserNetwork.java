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
    private static final int FIRST_FURTHER = 3;

    private UserNetwork() {}

    static GuestNetwork of(NetworkConfig.User config) {
        String mac = randomHardwareAddress();
        return new GuestNetwork(
                List.of(new NetworkCard.User("net0", mac, "10.0.2.0/24", config.forwards())),
                Optional.empty(),
                List.of(new GuestInterface(NAME, NAME, List.of("10.0.2.15/24"), 0, mac, false)),
                List.of(new GuestRoute("", "10.0.2.2", NAME, "", 0)),
                List.of(),
                List.of("nameserver 10.0.2.3"));
    }

    /** Beside other interfaces. */
    static GuestNetwork further(String id, List<NetworkConfig.PortForward> forwards, List<GuestInterface> there) {
        int number = FIRST_FURTHER;
        while (isTaken("10.0." + number + ".", there)) {
            number++;
        }
        int index = 0;
        while (hasName("eth" + index, there)) {
            index++;
        }
        String name = "eth" + index;
        String prefix = "10.0." + number + ".";
        String mac = randomHardwareAddress();
        return new GuestNetwork(
                List.of(new NetworkCard.User(id, mac, prefix + "0/24", forwards)),
                Optional.empty(),
                List.of(new GuestInterface(name, name, List.of(prefix + "15/24"), 0, mac, false)),
                List.of(new GuestRoute("", prefix + "2", name, "", 0)),
                List.of(),
                List.of());
    }

    private static boolean isTaken(String prefix, List<GuestInterface> there) {
        return there.stream().flatMap(known -> known.addresses().stream()).anyMatch(a -> a.startsWith(prefix));
    }

    private static boolean hasName(String name, List<GuestInterface> there) {
        return there.stream()
                .anyMatch(known -> known.name().equals(name) || known.device().equals(name));
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
