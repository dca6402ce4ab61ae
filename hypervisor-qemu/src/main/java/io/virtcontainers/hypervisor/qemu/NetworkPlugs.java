// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.NetworkCard;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** Network cards that are plugged in: QMP {@code netdev_add} and a virtio-net device. */
final class NetworkPlugs {
    private NetworkPlugs() {}

    static Plug plug(NetworkCard card, HypervisorConfig settings) {
        if (settings.user().isPresent()) {
            throw new UnsupportedException("a QEMU that runs as another user takes no network cards while it runs");
        }
        Map<String, Object> device = new HashMap<>(Map.of(
                "driver", "virtio-net-pci", "mac", card.hardwareAddress(), "romfile", "", "disable-legacy", "on"));
        int queues = NetworkArguments.queues(card);
        if (queues > 1) {
            device.put("mq", true);
            device.put("vectors", NetworkArguments.vectors(queues));
        }
        Plug.HostSide host = new Plug.HostSide("netdev_add", "id", netdev(card, settings), "netdev");
        return new Plug(card.id(), "the network card " + card.id(), Plug.Bus.PCI, Optional.of(host), device);
    }

    private static Map<String, Object> netdev(NetworkCard card, HypervisorConfig settings) {
        if (card instanceof NetworkCard.User user) {
            return Map.of(
                    "type",
                    "user",
                    "ipv6",
                    false,
                    "net",
                    user.network(),
                    "hostfwd",
                    user.forwards().stream()
                            .map(forward -> Map.of("str", NetworkArguments.forward(forward)))
                            .toList());
        } else if (card instanceof NetworkCard.Tap tap) {
            Map<String, Object> netdev =
                    new HashMap<>(Map.of("type", "tap", "ifname", tap.device(), "script", "no", "downscript", "no"));
            if (tap.queues() > 1) {
                netdev.put("queues", tap.queues());
            }
            if (NetworkArguments.hasVhost(settings)) {
                netdev.put("vhost", true);
            }
            return netdev;
        }
        Map<String, Object> netdev = new HashMap<>(Map.of(
                "type",
                "tap",
                "fds",
                String.join(":", files((NetworkCard.Macvtap) card).keySet())));
        if (NetworkArguments.hasVhost(settings)) {
            netdev.put("vhost", true);
        }
        return netdev;
    }

    /** What QEMU gets open for it, in the order of its queues, by the names that {@link #plug} uses. */
    static SortedMap<String, Path> files(NetworkCard.Macvtap card) {
        SortedMap<String, Path> files = new TreeMap<>();
        for (int queue = 0; queue < card.queues(); queue++) {
            files.put(new DeviceNames(card.id()).host() + String.format("-%03d", queue), NetworkArguments.device(card));
        }
        return files;
    }
}
