// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.HypervisorException;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.core.network.GuestNetwork;
import io.virtcontainers.core.network.Networks;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.core.state.SandboxPlace;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.GuestSandbox;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How a sandbox's machine comes up: cold, as a clone of a template, or where a snapshot was made. Needs its lock. */
final class SandboxBoot {
    private static final Logger log = LoggerFactory.getLogger(SandboxBoot.class);

    private final SandboxLife life;
    private final Engine engine;
    private final SandboxPlace place;

    SandboxBoot(SandboxLife life, Engine engine, SandboxPlace place) {
        this.life = life;
        this.engine = engine;
        this.place = place;
    }

    /**
     * Boots it, or goes on where another was saved; the agent answers then. What it has acquired when it throws is in the
     * record.
     */
    void boot(GuestImage booted, Optional<SavedSandbox> saved, Deadline deadline) {
        place.createVmDirectory();
        SandboxConfig config = life.record().config();
        GuestNetwork network = network(config, deadline);
        life.cgroup().make();
        VmConfig bare = life.backends().machine(config, place.vmDirectory(), booted);
        VmConfig described = bare.withNetwork(network.cards(), network.namespace());
        VmConfig wanted;
        if (saved.isPresent()) {
            wanted = life.step(
                    "snapshot.check",
                    () -> saved.get().machineOf(described, life.backends().hypervisor(), life.phases()));
        } else if (config.template()) {
            // A template has no card, whose address would be in all clones: each gets its own, plugged in.
            wanted = cloned(network.isPluggable() ? bare : described, deadline).orElse(described);
        } else {
            wanted = described;
        }
        VirtualMachine launched = life.step("hypervisor.launch", () -> launch(wanted, saved.isEmpty(), deadline));
        GuestSession started = life.adopt(launched);
        life.cgroup().join();
        Agent connecting = started.connect(life.backends().agents());
        life.watchEnd(started);
        life.requireNotStopping();
        life.step("agent.connect", () -> {
            Agent unusedReady = started.ready(life.backends().agents(), deadline);
            return null;
        });
        if (saved.isPresent()) {
            life.step("clone.renew", () -> {
                List<String> resumed = saved.get().frozen();
                connecting.renewSandbox(life.id(), config.hostname(), Instant.now(), resumed, deadline);
                return null;
            });
            return;
        }
        if (wanted.memoryImage() instanceof MemoryImage.Clone) {
            life.step("clone.renew", () -> {
                connecting.reseedRandom(deadline);
                connecting.setTime(Instant.now(), deadline);
                return null;
            });
        }
        life.step("sandbox.create", () -> {
            connecting.createSandbox(
                    GuestSandbox.of(life.id(), config.hostname())
                            .withDns(network.dns())
                            .withStorages(ContainerMounts.ofSandbox(config.hypervisor())),
                    deadline);
            if (wanted.cards().isEmpty()) {
                network.plugInto(launched, connecting, deadline);
            } else {
                network.configure(connecting, deadline);
            }
            return null;
        });
        if (wanted.vcpus() != config.vcpus() || !wanted.memory().equals(config.memory())) {
            life.step("clone.grow", () -> {
                life.resizeMachine(config.vcpus(), config.memory(), deadline);
                return null;
            });
        }
    }

    private VirtualMachine launch(VmConfig wanted, boolean ofTemplate, Deadline deadline) {
        try {
            return life.backends().hypervisor().launch(wanted, life.phases(), deadline);
        } catch (HypervisorException e) {
            if (ofTemplate && wanted.memoryImage() instanceof MemoryImage.Clone clone) {
                engine.templateStore().discard(clone);
            }
            throw e;
        }
    }

    /** As a clone of a template; empty if there cannot be one. */
    private Optional<VmConfig> cloned(VmConfig machine, Deadline deadline) {
        try {
            return Optional.of(
                    life.step("template.get", () -> engine.templateStore().clone(machine, life.phases(), deadline)));
        } catch (UnsupportedException e) {
            log.info("boots without a template, as {}: sandbox={}", e.getMessage(), life.id());
            life.phases().begin("template.refused").close();
            return Optional.empty();
        }
    }

    private GuestNetwork network(SandboxConfig config, Deadline deadline) {
        if (config.network().equals(NetworkConfig.none())) {
            return GuestNetwork.NONE;
        }
        return life.step("network.create", () -> {
            Optional<String> identity = Networks.prepare(config.network(), deadline.atMost(HostHoldings.PATIENCE));
            identity.ifPresent(known -> life.save(life.record().holding(Held.network(known)), "network"));
            return Networks.make(config.network(), identity, config.vcpus(), deadline.atMost(HostHoldings.PATIENCE));
        });
    }
}
