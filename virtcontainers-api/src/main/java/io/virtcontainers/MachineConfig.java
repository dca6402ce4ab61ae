// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The machine that the hypervisor emulates, without its memory and disks.
 *
 * @param type default: {@link MachineType#Q35} on x86_64
 * @param options appended to QEMU's {@code -machine}, for example {@code nosmm} (Kata's {@code machine_accelerators})
 * @param cpuFeatures appended to QEMU's {@code -cpu}, for example {@code pmu=off} (Kata's {@code cpu_features})
 * @param maxVcpus how many virtual processors there can be after plugging; 0: as many as the host has processors
 * @param firmware a firmware image for {@code -bios}; empty: qboot where QEMU has it
 * @param pflash images for {@code -pflash}
 * @param bridges PCI bridges for devices that are plugged in, 1 to 5
 * @param pcieRootPorts PCI Express root ports, for VFIO devices; q35 only
 * @param iommu whether the guest has an IOMMU; q35 only
 * @param iommuPlatform whether virtio devices are behind the IOMMU
 * @param ioThreads whether disks have a thread of their own on the host
 * @param entropySource a character device of the host for the guest's virtio-rng; empty: no such device, the guest has RDRAND
 * @param vhostNet whether network cards use the host's vhost-net where it is there
 */
public record MachineConfig(
        MachineType type,
        List<String> options,
        List<String> cpuFeatures,
        int maxVcpus,
        Optional<Path> firmware,
        List<Path> pflash,
        int bridges,
        int pcieRootPorts,
        boolean iommu,
        boolean iommuPlatform,
        boolean ioThreads,
        Optional<Path> entropySource,
        boolean vhostNet) {
    private static final MachineConfig DEFAULTS = new MachineConfig(
            MachineType.Q35,
            List.of(),
            List.of(),
            0,
            Optional.empty(),
            List.of(),
            1,
            0,
            false,
            false,
            false,
            Optional.empty(),
            true);

    public MachineConfig {
        options = List.copyOf(options);
        cpuFeatures = List.copyOf(cpuFeatures);
        pflash = List.copyOf(pflash);
    }

    public static MachineConfig defaults() {
        return DEFAULTS;
    }
}
