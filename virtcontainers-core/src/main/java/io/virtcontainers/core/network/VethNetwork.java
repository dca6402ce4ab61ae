// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.network;

import io.virtcontainers.NetworkConfig;
import io.virtcontainers.NetworkModel;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;

/**
 * A network namespace of our own with a pair of veth links into the caller's: {@code eth0} inside, {@code vcXXXXXXXX} outside,
 * after the namespace's name. Wired as a namespace of the caller is.
 */
final class VethNetwork {
    private static final Path NAMESPACES = Path.of("/run/netns");
    private static final String IDENTITY = "veth ";
    private static final String INSIDE = "eth0";
    private static final int RANDOM_BYTES = 6;
    private static final SecureRandom RANDOM = new SecureRandom();

    private VethNetwork() {}

    static String newIdentity() {
        byte[] bytes = new byte[RANDOM_BYTES];
        RANDOM.nextBytes(bytes);
        return IDENTITY + "vc" + HexFormat.of().formatHex(bytes);
    }

    static boolean isIdentity(String identity) {
        return identity.startsWith(IDENTITY);
    }

    private static String name(String identity) {
        return identity.substring(IDENTITY.length());
    }

    static GuestNetwork make(NetworkConfig.Veth config, String identity, int queues, Deadline deadline) {
        String name = name(identity);
        HostTool here = HostTool.here(deadline);
        run(here, "ip", "netns", "add", name);
        run(here, "ip", "link", "add", name, "type", "veth", "peer", "name", INSIDE, "netns", name);
        for (String address : config.hostAddresses()) {
            add(here, address, name);
        }
        run(here, "ip", "link", "set", "dev", name, "up");
        HostTool inside = new HostTool(NAMESPACES.resolve(name), deadline);
        run(inside, "ip", "link", "set", "dev", "lo", "up");
        for (String address : config.addresses()) {
            add(inside, address, INSIDE);
        }
        run(inside, "ip", "link", "set", "dev", INSIDE, "up");
        for (String address : config.hostAddresses()) {
            String gateway = address.substring(0, address.indexOf('/'));
            run(inside, "ip", "route", "add", "default", "via", gateway, "dev", INSIDE);
        }
        return NamespaceNetwork.wire(
                new NetworkConfig.Namespace(NAMESPACES.resolve(name), NetworkModel.TCFILTER, config.dns()),
                queues,
                deadline);
    }

    /** nodad: nobody else is on this link, and an address in doubt cannot be used for a second. */
    private static void add(HostTool tool, String address, String link) {
        if (address.contains(":")) {
            run(tool, "ip", "address", "add", address, "dev", link, "nodad");
        } else {
            run(tool, "ip", "address", "add", address, "dev", link);
        }
    }

    /** With the namespace go its links, and with those their other ends. Does nothing if it is not there. */
    static void remove(String identity, Deadline deadline) {
        String name = name(identity);
        HostTool here = HostTool.here(deadline);
        if (NamespaceScan.names(here.run("ip", "-j", "link", "show")).contains(name)) {
            // Before the namespace, which may live on for a moment without its name.
            run(here, "ip", "link", "delete", "dev", name);
        }
        if (Files.exists(NAMESPACES.resolve(name))) {
            run(here, "ip", "netns", "delete", name);
        }
    }

    private static void run(HostTool tool, String... command) {
        String unused = tool.run(command);
    }
}
