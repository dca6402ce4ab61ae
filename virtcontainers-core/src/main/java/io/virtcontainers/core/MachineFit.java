// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Resources;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.State;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.spi.MachineSize;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the machine as large as the limits of its containers say, as Kata does ({@code updateResources}): what it was started
 * with is for the guest itself; the processors of all quotas and the memory of all limits come on top. No more than the
 * machine can have, which by default is what it was started with. Needs the sandbox's lock.
 */
final class MachineFit {
    private static final Logger log = LoggerFactory.getLogger(MachineFit.class);

    /** What memory is plugged in by. */
    static final long BLOCK = 128L << 20;

    private static final long DEFAULT_PERIOD_MICROS = 100_000;

    private final SandboxLife sandbox;

    MachineFit(SandboxLife sandbox) {
        this.sandbox = sandbox;
    }

    static MachineSize wanted(SandboxConfig config, List<Resources> limits) {
        MachineConfig machine = config.hypervisor().machine();
        long maxMemory =
                config.hypervisor().memory().max().orElse(config.memory()).bytes();
        double processors = 0;
        long memory = 0;
        for (Resources limit : limits) {
            long quota = limit.cpuQuotaMicros().orElse(0);
            if (quota > 0) {
                processors += (double) quota / limit.cpuPeriodMicros().orElse(DEFAULT_PERIOD_MICROS);
            }
            memory += limit.memoryLimit().map(MemorySize::bytes).orElse(0L);
        }
        long blocks = Math.min(
                (memory + BLOCK - 1) / BLOCK, (maxMemory - config.memory().bytes()) / BLOCK);
        int vcpus = (int)
                Math.min(config.vcpus() + (long) Math.ceil(processors), Math.max(config.vcpus(), machine.maxVcpus()));
        return new MachineSize(vcpus, MemorySize.ofBytes(config.memory().bytes() + blocks * BLOCK));
    }

    /** Whether it can become larger than it was started. */
    private static boolean canGrow(SandboxConfig config) {
        boolean processors = config.hypervisor().machine().maxVcpus() > config.vcpus();
        return processors
                || config.hypervisor()
                        .memory()
                        .max()
                        .filter(max -> max.compareTo(config.memory()) > 0)
                        .isPresent();
    }

    /** Before this container gets its limits. */
    void growFor(ContainerConfig container) {
        SandboxConfig config = sandbox.record().config();
        if (!canGrow(config)) {
            return;
        }
        List<Resources> limits = others(container.id());
        limits.add(container.resources());
        MachineSize wanted = wanted(config, limits);
        MachineSize now = sandbox.machineSize();
        int vcpus = Math.max(now.vcpus(), wanted.vcpus());
        MemorySize memory = now.memory().compareTo(wanted.memory()) < 0 ? wanted.memory() : now.memory();
        if (vcpus > now.vcpus() || !memory.equals(now.memory())) {
            try {
                sandbox.resizeMachine(vcpus, memory);
            } catch (UnsupportedException e) {
                // A limit need not be what there is.
                log.info("the machine stays as it is, as {}: sandbox={}", e.getMessage(), sandbox.id());
            }
        }
    }

    /** After a container's end, or lower limits: as far as the guest lets go of it. */
    void shrink() {
        SandboxConfig config = sandbox.record().config();
        if (!canGrow(config)) {
            return;
        }
        MachineSize wanted = wanted(config, others(""));
        sandbox.quietly("make the machine smaller", () -> {
            MachineSize now = sandbox.machineSize();
            if (now.memory().compareTo(wanted.memory()) > 0) {
                sandbox.resizeMachine(now.vcpus(), wanted.memory());
            }
        });
        sandbox.quietly("take processors out of the machine", () -> {
            MachineSize now = sandbox.machineSize();
            if (now.vcpus() > wanted.vcpus()) {
                sandbox.resizeMachine(wanted.vcpus(), now.memory());
            }
        });
    }

    private List<Resources> others(String containerId) {
        List<Resources> limits = new ArrayList<>();
        for (ContainerRecord known : sandbox.record().containers()) {
            if (known.state() != State.STOPPED && !known.id().equals(containerId)) {
                limits.add(known.config().resources());
            }
        }
        return limits;
    }
}
