// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.network;

import io.virtcontainers.GuestInterface;
import io.virtcontainers.HostCheck;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The host's side of a sandbox's network: found, made, and undone. Stateless. */
public final class Networks {
    private Networks() {}

    /** @throws io.virtcontainers.InvalidConfigException if there is no such namespace */
    public static void check(NetworkConfig config) {
        if (config instanceof NetworkConfig.Namespace namespace) {
            String unused = NamespaceNetwork.identity(namespace.path());
        }
    }

    /** The programs that wire network namespaces; only those need them. */
    public static List<HostCheck> check() {
        return List.of("ip", "tc", "nsenter").stream()
                .map(program -> HostCheck.ofFile(program, () -> Path.of(HostTool.require(program))))
                .map(check -> check.isFailed() ? HostCheck.warning(check.name(), check.finding()) : check)
                .toList();
    }

    /**
     * What the journal must know before {@link #make}; empty if that leaves nothing on the host.
     *
     * @throws io.virtcontainers.HostSetupException if somebody else has wired the namespace
     */
    public static Optional<String> prepare(NetworkConfig config, Deadline deadline) {
        if (config instanceof NetworkConfig.Namespace namespace) {
            NamespaceNetwork.requireUnwired(namespace.path(), deadline);
            return Optional.of(NamespaceNetwork.identity(namespace.path()));
        }
        return config instanceof NetworkConfig.Veth ? Optional.of(VethNetwork.newIdentity()) : Optional.empty();
    }

    /**
     * @param identity what {@link #prepare} returned
     * @param vcpus as many queues have the cards that can have several
     */
    public static GuestNetwork make(NetworkConfig config, Optional<String> identity, int vcpus, Deadline deadline) {
        if (config instanceof NetworkConfig.User user) {
            return UserNetwork.of(user);
        } else if (config instanceof NetworkConfig.Namespace namespace) {
            return NamespaceNetwork.wire(namespace, vcpus, deadline);
        } else if (config instanceof NetworkConfig.Veth veth) {
            return VethNetwork.make(veth, identity.orElseThrow(), vcpus, deadline);
        }
        return GuestNetwork.NONE;
    }

    /**
     * The number of a link that came into the namespace later.
     *
     * @throws io.virtcontainers.InvalidConfigException if there is none that could become a card
     */
    public static int find(NetworkConfig.Namespace config, String link, Deadline deadline) {
        return NamespaceNetwork.find(config, link, deadline);
    }

    /** Adds to the namespace what the card of this one link needs. */
    public static GuestNetwork makeLink(NetworkConfig.Namespace config, int link, int vcpus, Deadline deadline) {
        return NamespaceNetwork.wireLink(config, link, vcpus, deadline);
    }

    /** Undoes {@link #makeLink}; does nothing if the namespace or the link is gone. */
    public static void undoLink(NetworkConfig.Namespace config, int link, Deadline deadline) {
        NamespaceNetwork.unwireLink(config, link, deadline);
    }

    /** A card with a user network that no interface of the guest is in; its interface has no name that it has already. */
    public static GuestNetwork makeUser(
            String id, List<NetworkConfig.PortForward> forwards, List<GuestInterface> there) {
        return UserNetwork.further(id, forwards, there);
    }

    /** Undoes what {@link #make} did, or had begun. */
    public static void undo(String identity, Deadline deadline) {
        if (VethNetwork.isIdentity(identity)) {
            VethNetwork.remove(identity, deadline);
        } else {
            NamespaceNetwork.unwire(identity, deadline);
        }
    }
}
