// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.spi.VmConfig;
import java.util.List;

/** The guest's memory on QEMU's command line. */
final class MemoryArguments {
    private MemoryArguments() {}

    static List<String> of(VmConfig config) {
        return List.of("-m", config.memory().toMib() + "M");
    }
}
