// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.MachineConfig;
import java.util.ArrayList;
import java.util.List;

/** How virtio devices are written for a machine: of the current specification, behind the IOMMU if the user wants it. */
final class VirtioDevice {
    private VirtioDevice() {}

    /**
     * The value of {@code -device}.
     *
     * @param kind for example {@code virtio-rng}
     * @param properties for example {@code rng=rng0}
     */
    static String of(MachineConfig machine, String kind, String... properties) {
        MachineModel model = MachineModel.of(machine.type());
        List<String> words = new ArrayList<>(List.of(model.virtio(kind)));
        words.addAll(List.of(properties));
        if (model.hasPci()) {
            words.add("disable-legacy=on");
        }
        if (machine.iommuPlatform()) {
            words.add("iommu_platform=on");
        }
        return String.join(",", words);
    }
}
