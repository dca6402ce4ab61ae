// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.network;

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
        return Optional.empty();
    }

    /** @param vcpus as many queues have the cards that can have several */
    public static GuestNetwork make(NetworkConfig config, int vcpus, Deadline deadline) {
        if (config instanceof NetworkConfig.User user) {
            return UserNetwork.of(user);
        } else if (config instanceof NetworkConfig.Namespace namespace) {
            return NamespaceNetwork.wire(namespace, vcpus, deadline);
        }
        return GuestNetwork.NONE;
    }

    /** Undoes what {@link #make} did, or had begun. */
    public static void undo(String identity, Deadline deadline) {
        NamespaceNetwork.unwire(identity, deadline);
    }
}
