// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.Device;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.Sandbox;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code kata-network}: the network of the sandbox that a container is in. In and out goes JSON with the fields of Kata's {@code
 * types.Interface} and {@code types.Route}. An interface that is added is a link of the sandbox's namespace, which has its
 * addresses already.
 */
final class NetworkCommand {
    private static final int IPV6 = 1; // FAMILY_V6 of Kata's protocol
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private NetworkCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        String action = words.isEmpty() ? "" : words.get(0);
        int expected = switch (action) {
            case "add-iface", "del-iface", "update-routes" -> 2;
            case "list-ifaces", "list-routes" -> 1;
            default ->
                throw new UsageException("kata-network: \"" + action + "\" is none of add-iface, del-iface,"
                        + " list-ifaces, update-routes, list-routes");
        };
        Arguments arguments = Arguments.parse("kata-network " + action, words.subList(1, words.size()), List.of());
        String id = arguments.id();
        if (arguments.rest().size() != expected) {
            throw new UsageException("kata-network " + action + ": needs a container ID"
                    + (expected > 1 ? ", and a file with JSON or -" : " and nothing else"));
        }
        JsonNode input = expected > 1 ? read(arguments.rest().get(1)) : JsonNodeFactory.instance.nullNode();
        try (Containers containers = Containers.open(options)) {
            Sandbox sandbox =
                    containers.library().sandbox(containers.registry().get(id).sandbox());
            System.out.println(
                    switch (action) {
                        case "add-iface" -> add(sandbox, name(input));
                        case "del-iface" -> remove(sandbox, name(input));
                        case "list-ifaces" -> interfaces(sandbox.interfaces());
                        case "update-routes" -> routes(sandbox.updateRoutes(routes(input)));
                        default -> routes(sandbox.routes());
                    });
            return 0;
        }
    }

    private static JsonNode read(String file) throws IOException {
        byte[] bytes = InputFile.read("kata-network", file);
        try {
            return JSON.readTree(bytes);
        } catch (JsonProcessingException e) {
            throw new InvalidConfigException("kata-network: " + file + " is no JSON: " + e.getOriginalMessage());
        }
    }

    /** Go reads the names of fields without regard to case. */
    private static String text(JsonNode object, String field) {
        for (var property : object.properties()) {
            if (property.getKey().equalsIgnoreCase(field)) {
                return property.getValue().asText();
            }
        }
        return "";
    }

    private static String name(JsonNode wanted) {
        String name = text(wanted, "Device").isEmpty() ? text(wanted, "Name") : text(wanted, "Device");
        if (name.isEmpty()) {
            throw new InvalidConfigException("kata-network: an interface must have a Device or a Name");
        }
        return name;
    }

    private static String deviceId(String link) {
        return "link-" + link.replaceAll("[^A-Za-z0-9_.-]", "_");
    }

    private static JsonNode add(Sandbox sandbox, String link) {
        String name = sandbox.addDevice(new Device.Link(deviceId(link), link));
        return find(sandbox, name);
    }

    private static JsonNode remove(Sandbox sandbox, String link) {
        JsonNode removed = find(sandbox, link);
        sandbox.removeDevice(deviceId(link));
        if (sandbox.interfaces().stream().anyMatch(left -> left.name().equals(link))) {
            throw new InvalidConfigException(
                    "interface", link, "was there when the sandbox started: only one that was added can be removed");
        }
        return removed;
    }

    private static JsonNode find(Sandbox sandbox, String name) {
        return sandbox.interfaces().stream()
                .filter(found -> found.name().equals(name))
                .findFirst()
                .map(NetworkCommand::write)
                .orElseThrow(() -> new NotFoundException("the guest has no interface " + name));
    }

    private static ArrayNode interfaces(List<GuestInterface> all) {
        ArrayNode json = JsonNodeFactory.instance.arrayNode();
        all.forEach(each -> json.add(write(each)));
        return json;
    }

    private static ObjectNode write(GuestInterface from) {
        ObjectNode json = JsonNodeFactory.instance
                .objectNode()
                .put("Device", from.device())
                .put("Name", from.name());
        ArrayNode addresses = json.putArray("IPAddresses");
        for (String address : from.addresses()) {
            int slash = address.indexOf('/');
            addresses
                    .addObject()
                    .put("Family", address.contains(":") ? IPV6 : 0)
                    .put("Address", slash < 0 ? address : address.substring(0, slash))
                    .put("Mask", slash < 0 ? "" : address.substring(slash + 1));
        }
        return json.put("Mtu", from.mtu()).put("HwAddr", from.hardwareAddress());
    }

    private static ArrayNode routes(List<GuestRoute> all) {
        ArrayNode json = JsonNodeFactory.instance.arrayNode();
        for (GuestRoute route : all) {
            json.addObject()
                    .put("Dest", route.destination())
                    .put("Gateway", route.gateway())
                    .put("Device", route.device())
                    .put("Source", route.source())
                    .put("Scope", route.scope());
        }
        return json;
    }

    private static List<GuestRoute> routes(JsonNode wanted) {
        if (!wanted.isArray()) {
            throw new InvalidConfigException(
                    "kata-network: update-routes needs an array of routes, all of the guest's");
        }
        List<GuestRoute> routes = new ArrayList<>();
        for (JsonNode route : wanted) {
            String scope = text(route, "Scope");
            try {
                routes.add(new GuestRoute(
                        text(route, "Dest"),
                        text(route, "Gateway"),
                        text(route, "Device"),
                        text(route, "Source"),
                        scope.isEmpty() ? 0 : Integer.parseInt(scope)));
            } catch (NumberFormatException e) {
                throw new InvalidConfigException("Scope of a route", '"' + scope + '"', "must be a number");
            }
        }
        return routes;
    }
}
