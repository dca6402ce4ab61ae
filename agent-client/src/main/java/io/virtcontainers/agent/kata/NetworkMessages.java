// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.google.common.net.InetAddresses;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.agent.kata.protocol.types.ARPNeighbor;
import io.virtcontainers.agent.kata.protocol.types.IPAddress;
import io.virtcontainers.agent.kata.protocol.types.IPFamily;
import io.virtcontainers.agent.kata.protocol.types.Interface;
import io.virtcontainers.agent.kata.protocol.types.Route;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Writes and reads the messages about the guest's network. What is written is checked where it must be taken apart, the
 * rest by the guest; what is read is checked in full. Pure functions.
 */
final class NetworkMessages {
    private static final int NO_ARP = 0x80; // IFF_NOARP of netdevice(7), the one flag that agents know
    private static final int MOST = 10_000;
    private static final int LONGEST_NAME = 127; // of an alternative name of an interface
    private static final long HIGHEST_MTU = 65_536;
    private static final int HIGHEST_SCOPE = 255;
    private static final Pattern MAC = Pattern.compile("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}");
    private static final int LONGEST_ADDRESS = 45;

    private NetworkMessages() {}

    /** @throws InvalidConfigException if an address is not of the form {@code 10.0.0.2/24} */
    static Interface write(GuestInterface wanted) {
        Interface.Builder message = Interface.newBuilder()
                .setDevice(wanted.device())
                .setName(wanted.name())
                .setMtu(wanted.mtu())
                .setHwAddr(wanted.hardwareAddress())
                .setRawFlags(wanted.noArp() ? NO_ARP : 0);
        wanted.addresses().forEach(address -> message.addIPAddresses(withPrefix(address)));
        return message.build();
    }

    static Route write(GuestRoute route) {
        return Route.newBuilder()
                .setDest(route.destination())
                .setGateway(route.gateway())
                .setDevice(route.device())
                .setSource(route.source())
                .setScope(route.scope())
                .build();
    }

    /** @throws InvalidConfigException if its address is not one, for example because it has a prefix length */
    static ARPNeighbor write(GuestNeighbor neighbor) {
        String address = neighbor.address();
        if (!isAddress(address)) {
            throw new InvalidConfigException("neighbour", '"' + address + '"', "must be an address like 10.0.0.2");
        }
        return ARPNeighbor.newBuilder()
                .setToIPAddress(
                        IPAddress.newBuilder().setFamily(family(address)).setAddress(address))
                .setDevice(neighbor.device())
                .setLladdr(neighbor.hardwareAddress())
                .setState(neighbor.state())
                .setFlags(neighbor.flags())
                .build();
    }

    /** @throws io.virtcontainers.AgentException if the guest sends what there cannot be */
    static List<GuestInterface> readInterfaces(List<Interface> interfaces) {
        return GuestData.atMost(MOST, interfaces, "network interfaces").stream()
                .map(NetworkMessages::read)
                .toList();
    }

    /** @throws io.virtcontainers.AgentException if the guest sends what there cannot be */
    static List<GuestRoute> readRoutes(List<Route> routes) {
        return GuestData.atMost(MOST, routes, "routes").stream()
                .map(NetworkMessages::read)
                .toList();
    }

    static GuestInterface read(Interface message) {
        if (message.getMtu() < 0 || message.getMtu() > HIGHEST_MTU) {
            throw GuestData.impossible("MTU", Long.toUnsignedString(message.getMtu()));
        }
        // Interfaces other than Ethernet have none, or one of another length.
        String hardwareAddress = MAC.matcher(message.getHwAddr()).matches() ? message.getHwAddr() : "";
        return new GuestInterface(
                name(message.getDevice()),
                name(message.getName()),
                GuestData.atMost(MOST, message.getIPAddressesList(), "addresses").stream()
                        .map(ip -> cidr(ip.getAddress() + "/" + ip.getMask()))
                        .toList(),
                message.getMtu(),
                hardwareAddress,
                (message.getRawFlags() & NO_ARP) != 0);
    }

    private static GuestRoute read(Route message) {
        if (message.getScope() < 0 || message.getScope() > HIGHEST_SCOPE) {
            throw GuestData.impossible("scope of a route", Integer.toUnsignedString(message.getScope()));
        }
        String destination = message.getDest();
        return new GuestRoute(
                destination.contains("/") ? cidr(destination) : addressOrNone(destination),
                addressOrNone(message.getGateway()),
                name(message.getDevice()),
                addressOrNone(message.getSource()),
                message.getScope());
    }

    private static IPAddress withPrefix(String cidr) {
        if (!isCidr(cidr)) {
            throw new InvalidConfigException("address", '"' + cidr + '"', "must be like 10.0.0.2/24 or fd00::2/64");
        }
        int slash = cidr.indexOf('/');
        return IPAddress.newBuilder()
                .setFamily(family(cidr))
                .setAddress(cidr.substring(0, slash))
                .setMask(cidr.substring(slash + 1))
                .build();
    }

    private static String cidr(String text) {
        if (!isCidr(text)) {
            throw GuestData.impossible("address", text);
        }
        return text;
    }

    private static String addressOrNone(String text) {
        if (!text.isEmpty() && !isAddress(text)) {
            throw GuestData.impossible("address", text);
        }
        return text;
    }

    private static boolean isCidr(String text) {
        int slash = text.indexOf('/');
        if (slash < 0 || !isAddress(text.substring(0, slash))) {
            return false;
        }
        String prefix = text.substring(slash + 1);
        return prefix.matches("0|[1-9][0-9]{0,2}")
                && Integer.parseInt(prefix) <= (family(text) == IPFamily.v6 ? 128 : 32);
    }

    /** Without a zone: that is the interface, which is told beside it. */
    private static boolean isAddress(String text) {
        return text.length() <= LONGEST_ADDRESS && text.indexOf('%') < 0 && InetAddresses.isInetAddress(text);
    }

    private static IPFamily family(String address) {
        return address.indexOf(':') >= 0 ? IPFamily.v6 : IPFamily.v4;
    }

    private static String name(String name) {
        return GuestData.text(LONGEST_NAME, name, "name of an interface");
    }
}
