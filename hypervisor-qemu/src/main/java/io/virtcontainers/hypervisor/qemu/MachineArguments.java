// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.spi.VmConfig;
import java.util.List;

/** The kind of machine on QEMU's command line, and the bridge for what is plugged in. */
final class MachineArguments {
    private MachineArguments() {}

    // q35 for its PCI hotplug by ACPI; without the devices that it has even under -nodefaults.
    static List<String> of(VmConfig config) {
        return List.of("-M", "q35,sata=off,smbus=off,vmport=off");
    }

    // qboot opens no windows in bridges, and Linux opens none in a bridge with nothing behind: a disk plugged in
    // later would get no addresses ("BAR 4: can't assign; no space"). The agent's device behind the bridge, of
    // whichever kind, makes Linux open windows of 1 MiB, enough for every slot.
    // shpc=off: hotplug by ACPI, which every kernel has, and not by a driver that cloud kernels lack.
    static List<String> bridge() {
        return List.of(
                "-device",
                "pci-bridge,id=" + QemuCommandLine.BRIDGE + ",bus=pcie.0,addr="
                        + QemuCommandLine.slot(QemuCommandLine.BRIDGE_SLOT) + ",chassis_nr=1,shpc=off");
    }
}
