// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.AgentProvider;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.GuestImageProvider;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.HypervisorProvider;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;

/** The backends of the class path, used without the engine, for the contract suites. */
final class RealBackends {
    static final Phases NO_PHASES = name -> () -> {};

    /** As the engine finds it, so that a built guest image is used again. */
    private static final Path CACHE = Path.of(
            Optional.ofNullable(System.getenv("XDG_CACHE_HOME")).orElse(System.getenv("HOME") + "/.cache"),
            "virtcontainers");

    private static final GuestImages IMAGES = only(GuestImageProvider.class).open(cache());

    private RealBackends() {}

    private static Path cache() {
        String own = System.getenv("VIRTCONTAINERS_CACHE");
        return own == null || own.isEmpty() ? CACHE : Path.of(own);
    }

    private static <T> T only(Class<T> type) {
        return ServiceLoader.load(type).findFirst().orElseThrow();
    }

    static Hypervisor hypervisor() {
        return only(HypervisorProvider.class).open(cache());
    }

    static AgentConnector agents() {
        return only(AgentProvider.class).open();
    }

    static GuestImage guestImage() {
        return IMAGES.guestImage(
                Optional.empty(), GuestRoot.builtIn(), NO_PHASES, Deadline.after(Duration.ofMinutes(5)));
    }

    static Path rootfsImage(Path directory) {
        return IMAGES.rootfsImage(directory, NO_PHASES, Deadline.after(Duration.ofMinutes(5)));
    }

    static VmConfig machine(Path directory, boolean detached) {
        return machine(directory, detached, HypervisorConfig.defaults());
    }

    static VmConfig machine(Path directory, boolean detached, HypervisorConfig settings) {
        return new VmConfig("tck", directory, 1, MemorySize.mib(256), detached, settings, guestImage(), List.of());
    }
}
