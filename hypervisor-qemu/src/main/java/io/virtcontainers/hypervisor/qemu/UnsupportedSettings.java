// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.BlockConfig;
import io.virtcontainers.GuestMemoryConfig;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.VmConfig;

/** Refuses by name what this backend cannot do, before it starts anything. */
final class UnsupportedSettings {
    private UnsupportedSettings() {}

    static void refuse(VmConfig config) {
        HypervisorConfig settings = config.settings();
        GuestMemoryConfig memory = settings.memory();
        refuse(memory.virtioMem(), "memory virtioMem", true);
        refuse(memory.balloon(), "memory balloon", true);
        refuse(!settings.block().equals(BlockConfig.defaults()), "block", settings.block());
        refuse(settings.sharedFs().type() != SharedFs.NONE, "sharedFs", settings.sharedFs());
        refuse(config.sharedDirectory().isPresent(), "shared directory", config.sharedDirectory());
    }

    private static void refuse(boolean unsupported, String setting, Object value) {
        if (unsupported) {
            throw new UnsupportedException("QEMU backend: " + setting + " " + value + " is not supported yet");
        }
    }
}
