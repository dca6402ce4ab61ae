// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.network;

import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.NetworkCard;
import io.virtcontainers.spi.VirtualMachine;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The network of a guest.
 *
 * @param cards what the machine gets
 * @param namespace in which the hypervisor runs; empty: ours
 * @param interfaces as they shall be in the guest, one for each card
 * @param routes all of the guest's
 * @param neighbors static ones
 * @param dns lines of the containers' {@code /etc/resolv.conf}
 */
public record GuestNetwork(
        List<NetworkCard> cards,
        Optional<Path> namespace,
        List<GuestInterface> interfaces,
        List<GuestRoute> routes,
        List<GuestNeighbor> neighbors,
        List<String> dns) {
    /** Nothing but localhost. */
    public static final GuestNetwork NONE =
            new GuestNetwork(List.of(), Optional.empty(), List.of(), List.of(), List.of(), List.of());

    public GuestNetwork {
        cards = List.copyOf(cards);
        interfaces = List.copyOf(interfaces);
        routes = List.copyOf(routes);
        neighbors = List.copyOf(neighbors);
        dns = List.copyOf(dns);
    }

    /** Makes the guest's side of it. */
    public void configure(Agent agent, Deadline deadline) {
        for (GuestInterface wanted : interfaces) {
            GuestInterface unused = agent.updateInterface(wanted, deadline);
        }
        configureRoutes(agent, deadline);
    }

    /** Whether the cards can be plugged into a machine that was started without them and in our namespace. */
    public boolean isPluggable() {
        return namespace.isEmpty() && cards.stream().allMatch(card -> card instanceof NetworkCard.User);
    }

    /** Plugs in the cards, and makes the guest's side of it. */
    public void plugInto(VirtualMachine machine, Agent agent, Deadline deadline) {
        for (int i = 0; i < cards.size(); i++) {
            String pciPath = machine.addCard(cards.get(i), deadline);
            GuestInterface unused = agent.updateInterface(interfaces.get(i), pciPath, deadline);
        }
        configureRoutes(agent, deadline);
    }

    private void configureRoutes(Agent agent, Deadline deadline) {
        if (!interfaces.isEmpty()) {
            List<GuestRoute> unused = agent.updateRoutes(routes, deadline);
        }
        if (!neighbors.isEmpty()) {
            agent.addNeighbors(neighbors, deadline);
        }
    }
}
