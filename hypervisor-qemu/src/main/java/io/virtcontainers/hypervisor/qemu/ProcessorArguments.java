// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.MachineConfig;
import io.virtcontainers.spi.VmConfig;
import java.util.ArrayList;
import java.util.List;

/** The guest's processors on QEMU's command line. */
final class ProcessorArguments {
    private ProcessorArguments() {}

    /** The processor that guests get, and that the accelerator's probe must use too. */
    static List<String> model(boolean kvm, MachineModel machine) {
        if (kvm) {
            return List.of("-accel", "kvm", "-cpu", "host");
        }
        // Five-level page tables and `rep movsb` are slow to emulate. It has RDRAND, so the guest needs no other
        // source of randomness.
        return List.of("-accel", "tcg", "-cpu", machine.isX86() ? "max,-la57,-erms" : "max");
    }

    /** The model with the features that the user wants. */
    static List<String> of(boolean kvm, VmConfig config) {
        MachineConfig machine = config.settings().machine();
        List<String> model = model(kvm, MachineModel.of(machine.type()));
        List<String> features = new ArrayList<>(List.of(model.get(model.size() - 1)));
        features.addAll(machine.cpuFeatures());
        List<String> line = new ArrayList<>(model.subList(0, model.size() - 1));
        line.add(String.join(",", features));
        return line;
    }

    /** How many there are, and can be. */
    static List<String> count(VmConfig config) {
        int most = config.settings().machine().maxVcpus();
        return List.of("-smp", "cpus=" + config.vcpus() + (most > config.vcpus() ? ",maxcpus=" + most : ""));
    }
}
