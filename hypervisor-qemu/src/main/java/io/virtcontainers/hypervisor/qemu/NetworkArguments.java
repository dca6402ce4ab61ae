// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.linux.Command;
import io.virtcontainers.spi.NetworkCard;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Network cards on QEMU's command line. */
final class NetworkArguments {
    private static final Path VHOST_NET = Path.of("/dev/vhost-net");
    private static final int FIRST_FILE = 3;

    /** Two of each queue pair, one for changes of the configuration, one for the control queue. */
    private static final int MORE_VECTORS = 2;

    private NetworkArguments() {}

    static List<String> of(VmConfig config) {
        List<String> line = new ArrayList<>();
        int file = FIRST_FILE;
        for (NetworkCard card : config.cards()) {
            line.addAll(List.of("-netdev", backend(config, card, file), "-device", device(config, card)));
            file += files(card).size();
        }
        return line;
    }

    /** What QEMU must find open for them: the character devices of macvtaps, one descriptor for each queue. */
    static List<Command.OpenFile> files(VmConfig config) {
        return config.cards().stream().flatMap(card -> files(card).stream()).toList();
    }

    private static List<Command.OpenFile> files(NetworkCard card) {
        return card instanceof NetworkCard.Macvtap tap
                ? Collections.nCopies(tap.queues(), new Command.OpenFile(device(tap), true))
                : List.of();
    }

    /** The character device of a macvtap. */
    static Path device(NetworkCard.Macvtap tap) {
        return Path.of("/dev/tap" + tap.index());
    }

    private static String backend(VmConfig config, NetworkCard card, int firstFile) {
        String id = "id=" + card.id();
        if (card instanceof NetworkCard.User user) {
            // Without IPv6, which not every host has; what has no address is not tried.
            return "user," + id + ",ipv6=off,net=" + user.network()
                    + user.forwards().stream()
                            .map(forward -> ",hostfwd=" + forward(forward))
                            .collect(Collectors.joining());
        }
        String vhost = hasVhost(config.settings()) ? ",vhost=on" : "";
        if (card instanceof NetworkCard.Tap tap) {
            return "tap," + id + ",ifname=" + tap.device() + ",script=no,downscript=no"
                    + (tap.queues() > 1 ? ",queues=" + tap.queues() : "") + vhost;
        }
        return "tap," + id + ",fds="
                + IntStream.range(firstFile, firstFile + queues(card))
                        .mapToObj(Integer::toString)
                        .collect(Collectors.joining(":"))
                + vhost;
    }

    static boolean hasVhost(HypervisorConfig settings) {
        return settings.machine().vhostNet() && Files.isWritable(VHOST_NET);
    }

    static String forward(NetworkConfig.PortForward forward) {
        return (forward.udp() ? "udp" : "tcp") + ":" + forward.address() + ":" + forward.hostPort() + "-:"
                + forward.guestPort();
    }

    static int vectors(int queues) {
        return 2 * queues + MORE_VECTORS;
    }

    static int queues(NetworkCard card) {
        if (card instanceof NetworkCard.Tap tap) {
            return tap.queues();
        }
        return card instanceof NetworkCard.Macvtap macvtap ? macvtap.queues() : 1;
    }

    private static String device(VmConfig config, NetworkCard card) {
        List<String> properties = new ArrayList<>(
                List.of("id=" + card.id() + "-card", "netdev=" + card.id(), "mac=" + card.hardwareAddress()));
        int queues = queues(card);
        if (MachineModel.of(config.settings().machine().type()).hasPci()) {
            properties.add("romfile="); // nobody boots from it
            if (queues > 1) {
                properties.add("vectors=" + vectors(queues));
            }
        }
        if (queues > 1) {
            properties.add("mq=on");
        }
        return VirtioDevice.of(config.settings().machine(), "virtio-net", properties.toArray(String[]::new));
    }
}
