// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.core.state.Directories;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.AgentProvider;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.GuestImageProvider;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.HypervisorProvider;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What an engine runs on; each is made when it is needed first, as loading it takes longer than some operations do. */
public final class Backends {
    private final Lazy<Hypervisor> hypervisor;
    private final Lazy<AgentConnector> agents;
    private final Lazy<GuestImages> images;

    private Backends(Supplier<Hypervisor> hypervisor, Supplier<AgentConnector> agents, Supplier<GuestImages> images) {
        this.hypervisor = new Lazy<>(hypervisor);
        this.agents = new Lazy<>(agents);
        this.images = new Lazy<>(images);
    }

    /**
     * @param hypervisor launches the virtual machines; closed with the engine
     * @param agents connects to the agents inside; closed with the engine
     * @param images makes what the machines boot and mount
     */
    public Backends(Hypervisor hypervisor, AgentConnector agents, GuestImages images) {
        this(() -> hypervisor, () -> agents, () -> images);
        this.hypervisor.get();
        this.agents.get();
    }

    static Backends load(Path cacheDirectory) {
        // Whoever could write there would choose the kernels of our guests.
        Path cache = Directories.privateDirectory(cacheDirectory);
        return new Backends(
                () -> only(HypervisorProvider.class, "hypervisor-qemu").open(cache),
                () -> only(AgentProvider.class, "agent-client").open(),
                () -> only(GuestImageProvider.class, "guest-image").open(cache));
    }

    public Hypervisor hypervisor() {
        return hypervisor.get();
    }

    public AgentConnector agents() {
        return agents.get();
    }

    public GuestImages images() {
        return images.get();
    }

    /** Made at most once; afterwards it can be had without making it. */
    private static final class Lazy<T> {
        private final Supplier<T> maker;
        private @Nullable T made;

        Lazy(Supplier<T> maker) {
            this.maker = maker;
        }

        synchronized T get() {
            T known = made;
            if (known == null) {
                known = maker.get();
                made = known;
            }
            return known;
        }

        synchronized Optional<T> ifMade() {
            return Optional.ofNullable(made);
        }
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

    /** The machine of a sandbox, without a network. */
    VmConfig machine(SandboxConfig config, Path directory, GuestImage image) {
        return new VmConfig(
                config.id(),
                directory,
                config.vcpus(),
                config.memory(),
                config.detached(),
                config.hypervisor(),
                image,
                agents().kernelParameters());
    }

    void close() {
        agents.ifMade().ifPresent(AgentConnector::close);
        hypervisor.ifMade().ifPresent(Hypervisor::close);
    }
}
