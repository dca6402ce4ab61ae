// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.Device;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.core.network.GuestNetwork;
import io.virtcontainers.core.network.Networks;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Network cards that are plugged into a running machine. Needs the sandbox's lock. */
final class PluggedCards {
    private final SandboxLife sandbox;

    PluggedCards(SandboxLife sandbox) {
        this.sandbox = sandbox;
    }

    private NetworkConfig.Namespace namespace(String what) {
        if (sandbox.record().config().network() instanceof NetworkConfig.Namespace namespace) {
            return namespace;
        }
        throw new InvalidConfigException(
                "device",
                what,
                "is a link of the sandbox's network namespace, but the sandbox's network is "
                        + sandbox.record().config().network());
    }

    /** What the journal must know before {@link #add}. */
    Optional<Held> held(Device device) {
        if (!(device instanceof Device.Link link)) {
            return Optional.empty();
        }
        int index = Networks.find(namespace(link.name()), link.name(), Deadline.after(HostHoldings.PATIENCE));
        return Optional.of(Held.link(link.id(), index));
    }

    /** @return the interface's name in the guest */
    String add(Device.Link link, Held held, Deadline deadline) {
        GuestNetwork network = Networks.makeLink(
                namespace(link.name()),
                held.linkOf(link.id()).orElseThrow(),
                sandbox.record().config().vcpus(),
                deadline.atMost(HostHoldings.PATIENCE));
        return plug(link.id(), network, network.routes(), deadline);
    }

    /** @return the interface's name in the guest */
    String add(Device.UserNetwork user, Deadline deadline) {
        Agent agent = sandbox.agent(deadline);
        GuestNetwork network = Networks.makeUser(user.id(), user.forwards(), agent.interfaces(deadline));
        List<GuestRoute> routes = new ArrayList<>(agent.routes(deadline));
        if (routes.stream().noneMatch(PluggedCards::isDefault)) {
            routes.addAll(network.routes());
        }
        return plug(user.id(), network, routes, deadline);
    }

    private static boolean isDefault(GuestRoute route) {
        return route.destination().isEmpty() || route.destination().equals("0.0.0.0/0");
    }

    private String plug(String id, GuestNetwork network, List<GuestRoute> routes, Deadline deadline) {
        Agent agent = sandbox.agent(deadline);
        String pciPath = sandbox.machine().addCard(network.cards().get(0).withId(id), deadline);
        GuestInterface made = agent.updateInterface(network.interfaces().get(0), pciPath, deadline);
        List<GuestRoute> unused = agent.updateRoutes(routes, deadline);
        if (!network.neighbors().isEmpty()) {
            agent.addNeighbors(network.neighbors(), deadline);
        }
        return made.name();
    }

    /** Undoes the host's side, after the card is out of the machine. */
    void remove(String id, Held held, Deadline deadline) {
        int index = held.linkOf(id).orElseThrow();
        Networks.undoLink(namespace(id), index, deadline.atMost(HostHoldings.PATIENCE));
    }
}
