// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.MachineConfig;
import io.virtcontainers.spi.VmConfig;
import java.util.ArrayList;
import java.util.List;

/** The kind of machine on QEMU's command line, and its buses. */
final class MachineArguments {
    private MachineArguments() {}

    static List<String> of(boolean kvm, VmConfig config) {
        MachineConfig machine = config.settings().machine();
        MachineModel model = MachineModel.of(machine.type());
        List<String> words = new ArrayList<>(List.of(model.option()));
        if (model == MachineModel.VIRT) {
            words.add("gic-version=" + (kvm ? "host" : "max"));
        }
        if (machine.iommu()) {
            words.add("kernel-irqchip=split"); // interrupts are remapped by QEMU
        }
        if (config.image().disk().filter(disk -> disk.nvdimm()).isPresent()
                || PersistentMemory.hasRoom(config.settings())) {
            words.add("nvdimm=on");
        }
        words.addAll(machine.options());
        return List.of("-M", String.join(",", words));
    }

    /** What must be there before other devices. */
    static List<String> buses(VmConfig config) {
        MachineConfig machine = config.settings().machine();
        MachineModel model = MachineModel.of(machine.type());
        if (!model.hasPci()) {
            // Devices of the current specification of virtio, as on the other machines.
            return List.of("-global", "virtio-mmio.force-legacy=off");
        }
        List<String> line = new ArrayList<>();
        if (machine.iommu()) {
            line.addAll(List.of("-device", "intel-iommu,intremap=on,device-iotlb=on,caching-mode=on"));
        }
        for (int i = 0; i < machine.bridges(); i++) {
            line.addAll(List.of("-device", bridge(model, i)));
        }
        for (int i = 0; i < machine.pcieRootPorts(); i++) {
            line.addAll(List.of(
                    "-device", "pcie-root-port,id=rp" + i + ",bus=" + model.rootBus() + ",chassis=0,slot=" + i));
        }
        return line;
    }

    // qboot opens no windows in bridges, and Linux opens none in a bridge with nothing behind: a disk plugged in
    // later would get no addresses ("BAR 4: can't assign; no space"). The agent's device behind the bridge, of
    // whichever kind, makes Linux open windows of 1 MiB, enough for every slot.
    // shpc=off: hotplug by ACPI, which every kernel has, and not by a driver that cloud kernels lack.
    private static String bridge(MachineModel model, int number) {
        return "pci-bridge,id=pci-bridge-" + number + ",bus=" + model.rootBus() + ",addr="
                + QemuCommandLine.slot(QemuCommandLine.BRIDGE_SLOT + number) + ",chassis_nr=" + (number + 1)
                + ",shpc=off";
    }
}
