// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.network;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.HostSetupException;
import java.util.ArrayList;
import java.util.List;

/** What there is in a network namespace, as {@code ip -j} tells it. Pure functions. */
final class NamespaceScan {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final int NUD_PERMANENT = 0x80;
    private static final int SCOPE_LINK = 253;
    private static final int SCOPE_HOST = 254;

    private NamespaceScan() {}

    /**
     * A link that becomes a card.
     *
     * @param addresses with prefix length, without those that the guest's kernel makes itself (of the scope link)
     */
    record Link(int index, String name, String hardwareAddress, long mtu, boolean noArp, List<String> addresses) {}

    /** @param json of {@code ip -j address show} */
    static List<Link> links(String json) {
        List<Link> links = new ArrayList<>();
        for (JsonNode link : read(json)) {
            List<String> addresses = new ArrayList<>();
            for (JsonNode address : link.path("addr_info")) {
                if (!address.path("scope").asText().equals("link")) {
                    addresses.add(address.path("local").asText() + "/"
                            + address.path("prefixlen").asInt());
                }
            }
            if (link.path("link_type").asText().equals("ether") && !addresses.isEmpty()) {
                links.add(new Link(
                        link.path("ifindex").asInt(),
                        link.path("ifname").asText(),
                        link.path("address").asText(),
                        link.path("mtu").asLong(),
                        hasFlag(link, "NOARP"),
                        addresses));
            }
        }
        return links;
    }

    /** The names of all links. */
    static List<String> names(String json) {
        List<String> names = new ArrayList<>();
        read(json).forEach(link -> names.add(link.path("ifname").asText()));
        return names;
    }

    private static boolean hasFlag(JsonNode link, String wanted) {
        for (JsonNode flag : link.path("flags")) {
            if (flag.asText().equals(wanted)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Those over the given links, without those that the guest's kernel makes itself from the addresses.
     *
     * @param json of {@code ip -j route show} or {@code ip -j -6 route show}
     */
    static List<GuestRoute> routes(String json, List<Link> over) {
        List<GuestRoute> routes = new ArrayList<>();
        for (JsonNode route : read(json)) {
            String device = route.path("dev").asText();
            boolean ours = over.stream().anyMatch(link -> link.name().equals(device));
            if (ours && !route.path("protocol").asText().equals("kernel")) {
                String destination = route.path("dst").asText();
                routes.add(new GuestRoute(
                        destination.equals("default") ? "" : withPrefix(destination),
                        route.path("gateway").asText(),
                        device,
                        route.path("prefsrc").asText(),
                        scope(route.path("scope").asText())));
            }
        }
        return routes;
    }

    private static String withPrefix(String destination) {
        if (destination.contains("/")) {
            return destination;
        }
        return destination + (destination.contains(":") ? "/128" : "/32");
    }

    private static int scope(String name) {
        return switch (name) {
            case "link" -> SCOPE_LINK;
            case "host" -> SCOPE_HOST;
            default -> 0;
        };
    }

    /** @param json of {@code ip -j neighbour show nud permanent} */
    static List<GuestNeighbor> neighbors(String json, List<Link> over) {
        List<GuestNeighbor> neighbors = new ArrayList<>();
        for (JsonNode entry : read(json)) {
            String device = entry.path("dev").asText();
            String mac = entry.path("lladdr").asText();
            if (!mac.isEmpty() && over.stream().anyMatch(link -> link.name().equals(device))) {
                neighbors.add(new GuestNeighbor(entry.path("dst").asText(), device, mac, NUD_PERMANENT, 0));
            }
        }
        return neighbors;
    }

    private static JsonNode read(String json) {
        try {
            return JSON.readTree(json.isBlank() ? "[]" : json);
        } catch (JsonProcessingException e) {
            throw new HostSetupException("ip(8) printed no JSON: " + e.getOriginalMessage(), e);
        }
    }
}
