// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.network;

import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.NetworkModel;
import io.virtcontainers.core.network.NamespaceScan.Link;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.NetworkCard;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The links of a network namespace of the host, wired to cards of a guest. All that is added to the namespace can be found
 * again by its name, {@code vcINDEX} with the index of the link that it belongs to; the links themselves, their addresses
 * and routes stay as they are: with {@link NetworkModel#TCFILTER} all packets pass them by, in the mode passthru a macvtap
 * takes them all.
 */
final class NamespaceNetwork {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String PREFIX = "vc";
    private static final Pattern OURS = Pattern.compile(PREFIX + "[0-9]+");
    private static final Pattern OF_PROCESS = Pattern.compile("/proc/(self|[0-9]+)(/task/[0-9]+)?/ns/net");

    /** The highest index of a macvtap: far above those that kernels give, which count up from 1 in each namespace. */
    private static final int INDEX_BOUND = 1 << 30;

    private static final int INDEX_BASE = 1 << 20;

    private NamespaceNetwork() {}

    /**
     * Which namespace a path means now, as the journal keeps it.
     *
     * @throws InvalidConfigException if it is none
     */
    static String identity(Path namespace) {
        try {
            if (OF_PROCESS.matcher(namespace.toString()).matches()
                    || Files.getFileStore(namespace).type().equals("nsfs")) {
                return Files.getAttribute(namespace, "unix:ino") + " " + namespace.toAbsolutePath();
            }
        } catch (IOException e) {
            // Said below.
        }
        throw new InvalidConfigException(
                "network namespace",
                namespace.toString(),
                "is no network namespace: make one with \"ip netns add NAME\", its path is /run/netns/NAME");
    }

    /** Whether the path still means the namespace that was meant then. */
    private static Optional<Path> stillThere(String identity) {
        int space = identity.indexOf(' ');
        Path path = Path.of(identity.substring(space + 1));
        try {
            String now = Files.getAttribute(path, "unix:ino").toString();
            return now.equals(identity.substring(0, space)) ? Optional.of(path) : Optional.empty();
        } catch (IOException gone) {
            return Optional.empty();
        }
    }

    /**
     * Adds to the namespace what the guest's cards need.
     *
     * @param queues pairs of queues of each card
     * @throws HostSetupException if the namespace has no link with an address, or this process lacks the rights
     */
    static GuestNetwork wire(NetworkConfig.Namespace config, int queues, Deadline deadline) {
        HostTool tool = new HostTool(config.path(), deadline);
        List<Link> links = links(tool);
        if (links.isEmpty()) {
            throw new HostSetupException("the network namespace " + config.path()
                    + " has no link with an address that could become a card of the guest");
        }
        return wire(config, tool, links, links, queues);
    }

    /**
     * @param links those to wire
     * @param all those that the guest has then
     */
    private static GuestNetwork wire(
            NetworkConfig.Namespace config, HostTool tool, List<Link> links, List<Link> all, int queues) {
        List<GuestRoute> routes = new ArrayList<>(NamespaceScan.routes(tool.run("ip", "-j", "route", "show"), all));
        routes.addAll(NamespaceScan.routes(tool.run("ip", "-j", "-6", "route", "show"), all));
        List<GuestNeighbor> neighbors =
                NamespaceScan.neighbors(tool.run("ip", "-j", "neighbour", "show", "nud", "permanent"), links);
        List<NetworkCard> cards = new ArrayList<>();
        List<GuestInterface> interfaces = new ArrayList<>();
        for (Link link : links) {
            cards.add(config.model() == NetworkModel.MACVTAP ? macvtap(tool, link, queues) : tap(tool, link, queues));
            interfaces.add(new GuestInterface(
                    link.name(), link.name(), link.addresses(), link.mtu(), link.hardwareAddress(), link.noArp()));
        }
        return new GuestNetwork(cards, Optional.of(config.path()), interfaces, routes, neighbors, config.dns());
    }

    private static NetworkCard tap(HostTool tool, Link link, int queues) {
        String tap = PREFIX + link.index();
        List<String> add = new ArrayList<>(List.of("ip", "tuntap", "add", "dev", tap, "mode", "tap"));
        if (queues > 1) {
            add.add("multi_queue");
        }
        String unused = tool.run(add.toArray(String[]::new));
        unused = tool.run("ip", "link", "set", "dev", tap, "mtu", Long.toString(link.mtu()), "up");
        redirect(tool, tap, link.name());
        redirect(tool, link.name(), tap);
        return new NetworkCard.Tap("net" + link.index(), link.hardwareAddress(), tap, queues);
    }

    private static void redirect(HostTool tool, String from, String to) {
        String unused = tool.run("tc", "qdisc", "add", "dev", from, "ingress");
        unused = tool.run(
                "tc",
                "filter",
                "add",
                "dev",
                from,
                "parent",
                "ffff:",
                "protocol",
                "all",
                "u32",
                "match",
                "u8",
                "0",
                "0",
                "action",
                "mirred",
                "egress",
                "redirect",
                "dev",
                to);
    }

    private static NetworkCard macvtap(HostTool tool, Link link, int queues) {
        // Its index names its device in /dev, which all namespaces of the host share.
        int index = INDEX_BASE + RANDOM.nextInt(INDEX_BOUND - INDEX_BASE);
        String name = PREFIX + link.index();
        String unused = tool.run(
                "ip",
                "link",
                "add",
                "link",
                link.name(),
                "name",
                name,
                "index",
                Integer.toString(index),
                "type",
                "macvtap",
                "mode",
                "passthru");
        unused = tool.run("ip", "link", "set", "dev", name, "mtu", Long.toString(link.mtu()), "up");
        return new NetworkCard.Macvtap("net" + link.index(), link.hardwareAddress(), index, queues);
    }

    private static List<Link> links(HostTool tool) {
        return NamespaceScan.links(tool.run("ip", "-j", "address", "show"));
    }

    private static List<String> names(HostTool tool) {
        return NamespaceScan.names(tool.run("ip", "-j", "link", "show"));
    }

    static int find(NetworkConfig.Namespace config, String name, Deadline deadline) {
        HostTool tool = new HostTool(config.path(), deadline);
        Link link = links(tool).stream()
                .filter(known -> known.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new InvalidConfigException(
                        "link", name, "is no Ethernet link with an address in the namespace " + config.path()));
        if (names(tool).contains(PREFIX + link.index()) || hasIngress(tool, name)) {
            throw new InvalidConfigException(
                    "link", name, "is wired already, or has an ingress qdisc of somebody else");
        }
        return link.index();
    }

    static GuestNetwork wireLink(NetworkConfig.Namespace config, int index, int queues, Deadline deadline) {
        HostTool tool = new HostTool(config.path(), deadline);
        List<String> names = names(tool);
        List<Link> links = links(tool);
        List<Link> wanted = links.stream().filter(link -> link.index() == index).toList();
        List<Link> all = links.stream()
                .filter(link -> link.index() == index || names.contains(PREFIX + link.index()))
                .toList();
        if (wanted.isEmpty()) {
            throw new HostSetupException("the link " + index + " is gone from the namespace " + config.path());
        }
        return wire(config, tool, wanted, all, queues);
    }

    static void unwireLink(NetworkConfig.Namespace config, int index, Deadline deadline) {
        if (!Files.exists(config.path())) {
            return;
        }
        HostTool tool = new HostTool(config.path(), deadline);
        if (names(tool).contains(PREFIX + index)) {
            String unused = tool.run("ip", "link", "delete", "dev", PREFIX + index);
        }
        for (Link link : links(tool)) {
            if (link.index() == index && hasIngress(tool, link.name())) {
                String unused = tool.run("tc", "qdisc", "delete", "dev", link.name(), "ingress");
            }
        }
    }

    /** Removes all that {@link #wire} has added, or a part of it; nothing if the namespace is gone. */
    static void unwire(String identity, Deadline deadline) {
        Optional<Path> namespace = stillThere(identity);
        if (namespace.isEmpty()) {
            return;
        }
        HostTool tool = new HostTool(namespace.get(), deadline);
        for (String name : names(tool)) {
            if (OURS.matcher(name).matches()) {
                String unused = tool.run("ip", "link", "delete", "dev", name);
            } else if (hasIngress(tool, name)) {
                String unused = tool.run("tc", "qdisc", "delete", "dev", name, "ingress");
            }
        }
    }

    private static boolean hasIngress(HostTool tool, String link) {
        return tool.run("tc", "qdisc", "show", "dev", link).contains("qdisc ingress");
    }

    /** So that undoing removes nothing that is not ours. */
    static void requireUnwired(Path namespace, Deadline deadline) {
        HostTool tool = new HostTool(namespace, deadline);
        for (String name : names(tool)) {
            if (OURS.matcher(name).matches() || hasIngress(tool, name)) {
                throw new HostSetupException("the network namespace " + namespace + " is in use: its link " + name
                        + (OURS.matcher(name).matches() ? " is of another sandbox" : " has an ingress qdisc already")
                        + "; give each sandbox a namespace of its own");
            }
        }
    }
}
