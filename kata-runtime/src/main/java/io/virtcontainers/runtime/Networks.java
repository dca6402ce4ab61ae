// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.NetworkModel;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.oci.OciLinux;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The network that a configuration asks for. */
final class Networks {
    private static final Path OWN = Path.of("/proc/self/ns/net");

    private Networks() {}

    /**
     * @param model how it is wired; empty: not at all
     * @throws UnsupportedException if it asks for the host's network, which no virtual machine can be in
     * @throws InvalidConfigException if there is no such namespace
     */
    static NetworkConfig of(OciLinux linux, Optional<NetworkModel> model) throws IOException {
        if (model.isEmpty()) {
            return NetworkConfig.none();
        }
        OciLinux.Namespace namespace =
                linux.namespace("network").orElseThrow(() -> hostNetwork("there is no network namespace"));
        Optional<String> path = namespace.path().filter(text -> !text.isEmpty());
        if (path.isEmpty()) {
            return NetworkConfig.none(); // a new one, with nothing in it
        }
        Path file = Path.of(path.get());
        if (!Files.exists(file)) {
            throw new InvalidConfigException("linux.namespaces: the network namespace " + file + " is not there");
        }
        if (Files.getAttribute(file, "unix:ino").equals(Files.getAttribute(OWN, "unix:ino"))) {
            throw hostNetwork(file + " is that of the host");
        }
        return new NetworkConfig.Namespace(file, model.get(), List.of());
    }

    private static UnsupportedException hostNetwork(String why) {
        return new UnsupportedException("linux.namespaces: " + why
                + ", and a virtual machine cannot use the network of the host: give the container one of its own");
    }
}
