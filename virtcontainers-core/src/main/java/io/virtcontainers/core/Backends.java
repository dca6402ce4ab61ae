// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.core.state.Directories;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.AgentProvider;
import io.virtcontainers.spi.GuestImageProvider;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.HypervisorProvider;
import java.nio.file.Path;
import java.util.List;
import java.util.ServiceLoader;

/**
 * What an engine runs on.
 *
 * @param hypervisor launches the virtual machines; closed with the engine
 * @param agents connects to the agents inside; closed with the engine
 * @param images makes what the machines boot and mount
 */
public record Backends(Hypervisor hypervisor, AgentConnector agents, GuestImages images) {

    static Backends load(Path cacheDirectory) {
        // Whoever could write there would choose the kernels of our guests.
        Path cache = Directories.privateDirectory(cacheDirectory);
        HypervisorProvider hypervisor = only(HypervisorProvider.class, "hypervisor-qemu");
        AgentProvider agent = only(AgentProvider.class, "agent-client");
        GuestImageProvider images = only(GuestImageProvider.class, "guest-image");
        return new Backends(hypervisor.open(cache), agent.open(), images.open(cache));
    }

    private static <T> T only(Class<T> type, String artifact) {
        List<T> found = ServiceLoader.load(type, Backends.class.getClassLoader()).stream()
                .map(ServiceLoader.Provider::get)
                .toList();
        if (found.size() != 1) {
            throw new HostSetupException("the class path has " + found.size() + " backends of type "
                    + type.getSimpleName() + " where exactly one is needed: "
                    + found.stream()
                            .map(backend -> backend.getClass().getName())
                            .toList()
                    + "; the usual one is io.virtcontainers:"
                    + artifact);
        }
        return found.get(0);
    }

    void close() {
        agents.close();
        hypervisor.close();
    }
}
