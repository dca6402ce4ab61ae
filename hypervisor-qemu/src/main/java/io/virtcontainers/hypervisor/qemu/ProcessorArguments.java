// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.spi.VmConfig;
import java.util.List;

/** The guest's processors on QEMU's command line. */
final class ProcessorArguments {
    private ProcessorArguments() {}

    /** The processor that guests get, and that the accelerator's probe must use too. */
    static List<String> model(boolean kvm) {
        if (kvm) {
            return List.of("-accel", "kvm", "-cpu", "host");
        }
        // Five-level page tables and `rep movsb` are slow to emulate. It has RDRAND, so the guest needs no other
        // source of randomness.
        return List.of("-accel", "tcg", "-cpu", "max,-la57,-erms");
    }

    /** How many there are. */
    static List<String> count(VmConfig config) {
        return List.of("-smp", "cpus=" + config.vcpus());
    }
}
