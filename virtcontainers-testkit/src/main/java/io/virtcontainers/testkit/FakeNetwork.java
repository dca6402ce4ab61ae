// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.NotFoundException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The network of a fake guest: lists. It begins with one interface, as a virtual machine's card shows. Thread-safe. */
final class FakeNetwork {
    private final List<GuestInterface> interfaces =
            new ArrayList<>(List.of(new GuestInterface("eth0", "eth0", List.of(), 1500, "02:00:ca:fe:00:01", false)));
    private final Map<String, String> cards = new HashMap<>();
    private final List<GuestNeighbor> neighbors = new ArrayList<>();
    private List<GuestRoute> routes = List.of();

    synchronized List<GuestInterface> interfaces() {
        return List.copyOf(interfaces);
    }

    /** A card was plugged in. */
    synchronized void appear(String cardId, String hardwareAddress) {
        cards.put(cardId, hardwareAddress);
        String name = "eth" + interfaces.size();
        interfaces.add(new GuestInterface(name, name, List.of(), 1500, hardwareAddress, false));
    }

    /** A device was plugged out, maybe a card. */
    synchronized void disappear(String id) {
        String address = cards.remove(id);
        interfaces.removeIf(known -> known.hardwareAddress().equals(address));
    }

    synchronized GuestInterface update(GuestInterface wanted) {
        for (int i = 0; i < interfaces.size(); i++) {
            GuestInterface old = interfaces.get(i);
            if (old.hardwareAddress().equalsIgnoreCase(wanted.hardwareAddress())) {
                GuestInterface now = new GuestInterface(
                        wanted.name(),
                        wanted.name(),
                        wanted.addresses(),
                        wanted.mtu() == 0 ? old.mtu() : wanted.mtu(),
                        old.hardwareAddress(),
                        wanted.noArp());
                interfaces.set(i, now);
                return now;
            }
        }
        throw new NotFoundException("the guest has no interface with the address " + wanted.hardwareAddress());
    }

    synchronized List<GuestRoute> routes() {
        return routes;
    }

    synchronized List<GuestRoute> replace(List<GuestRoute> wanted) {
        routes = List.copyOf(wanted);
        return routes;
    }

    synchronized void add(List<GuestNeighbor> more) {
        neighbors.addAll(more);
    }

    synchronized List<GuestNeighbor> neighbors() {
        return List.copyOf(neighbors);
    }
}
