// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import io.virtcontainers.Accelerator;
import io.virtcontainers.AgentChannel;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.SandboxConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How the virtual machine is run: options that several programs have. */
final class MachineOptions {
    @Option(names = "--accelerator", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE})")
    private Accelerator accelerator = Accelerator.AUTO;

    @Option(names = "--hypervisor", paramLabel = "FILE", description = "the QEMU program (default: from PATH)")
    private @Nullable Path hypervisor;

    @Option(names = "--kernel", paramLabel = "FILE", description = "the guest's kernel (default: one that is found)")
    private @Nullable Path kernel;

    @Option(names = "--agent-channel", description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE})")
    private AgentChannel agentChannel = AgentChannel.AUTO;

    @Option(
            names = "--boot-deadline",
            paramLabel = "SECONDS",
            description = "how long the machine may take to start (default: 60)")
    private @Nullable Long bootDeadline;

    HypervisorConfig hypervisor() {
        return hypervisorBuilder().build();
    }

    HypervisorConfig.Builder hypervisorBuilder() {
        HypervisorConfig.Builder config =
                HypervisorConfig.builder().accelerator(accelerator).agentChannel(agentChannel);
        Optional.ofNullable(hypervisor).ifPresent(config::binary);
        Optional.ofNullable(kernel).ifPresent(config::kernel);
        return config;
    }

    SandboxConfig.Builder applyTo(SandboxConfig.Builder sandbox) {
        return applyTo(sandbox, hypervisor());
    }

    SandboxConfig.Builder applyTo(SandboxConfig.Builder sandbox, HypervisorConfig hypervisor) {
        Optional.ofNullable(bootDeadline).map(Duration::ofSeconds).ifPresent(sandbox::bootDeadline);
        return sandbox.hypervisor(hypervisor);
    }
}
