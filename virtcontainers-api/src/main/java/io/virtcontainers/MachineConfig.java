// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The machine that the hypervisor emulates, without its memory and disks.
 *
 * @param type default: {@link MachineType#ofHost}
 * @param options appended to QEMU's {@code -machine}, for example {@code nosmm} (Kata's {@code machine_accelerators})
 * @param cpuFeatures appended to QEMU's {@code -cpu}, for example {@code pmu=off} (Kata's {@code cpu_features})
 * @param maxVcpus how many virtual processors there can be after plugging, up to 240; 0: as many as at the start
 * @param firmware a firmware image for {@code -bios}; empty: qboot where QEMU has it
 * @param pflash images of flash memory, at most two, which the machine cannot write to
 * @param bridges PCI bridges, 1 to 5; what is plugged in goes to the first
 * @param pcieRootPorts PCI Express root ports, for VFIO devices, up to 16; q35 only
 * @param iommu whether the guest has an IOMMU; q35 only
 * @param iommuPlatform whether virtio devices are behind the IOMMU, which must be there
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
    private static final Pattern WORD = Pattern.compile("[A-Za-z0-9_.:+=/-]+");
    private static final int MAX_VCPUS = 240;
    private static final int MAX_BRIDGES = 5;
    private static final int MAX_ROOT_PORTS = 16;

    private static final MachineConfig DEFAULTS = builder().build();

    public MachineConfig {
        options = words("machine option", options);
        cpuFeatures = words("CPU feature", cpuFeatures);
        pflash = List.copyOf(pflash);
        requireRange("max vcpus", maxVcpus, 0, MAX_VCPUS);
        requireRange("bridges", bridges, 1, MAX_BRIDGES);
        requireRange("PCIe root ports", pcieRootPorts, 0, MAX_ROOT_PORTS);
    }

    /** A comma or blank in one would smuggle in another, or an option of QEMU. */
    private static List<String> words(String what, List<String> words) {
        for (String word : words) {
            if (!WORD.matcher(word).matches()) {
                throw new InvalidConfigException(
                        what, '"' + word + '"', "must be one word such as pmu=off; give each as a word of its own");
            }
        }
        return List.copyOf(words);
    }

    private static void requireRange(String what, int value, int min, int max) {
        if (value < min || value > max) {
            throw new InvalidConfigException(what, Integer.toString(value), "must be " + min + " to " + max);
        }
    }

    public static MachineConfig defaults() {
        return DEFAULTS;
    }

    /** The defaults of a machine of this type. */
    public static MachineConfig of(MachineType type) {
        return builder().type(type).build();
    }

    public static Builder builder() {
        return new Builder();
    }

    /** Collects the settings of a {@link MachineConfig}; not thread-safe. */
    public static final class Builder {
        private MachineType type = MachineType.ofHost();
        private final List<String> options = new ArrayList<>();
        private final List<String> cpuFeatures = new ArrayList<>();
        private int maxVcpus;
        private @Nullable Path firmware;
        private final List<Path> pflash = new ArrayList<>();
        private int bridges = 1;
        private int pcieRootPorts;
        private boolean iommu;
        private boolean iommuPlatform;
        private boolean ioThreads;
        private @Nullable Path entropySource;
        private boolean vhostNet = true;

        private Builder() {}

        /** Default: {@link MachineType#ofHost}. */
        public Builder type(MachineType newType) {
            type = newType;
            return this;
        }

        /** Adds to the machine's options. Default: nothing. */
        public Builder options(String... more) {
            options.addAll(List.of(more));
            return this;
        }

        /** Adds to the processor's features. Default: nothing. */
        public Builder cpuFeatures(String... more) {
            cpuFeatures.addAll(List.of(more));
            return this;
        }

        /** Default: 0, as many as the host has processors. */
        public Builder maxVcpus(int count) {
            maxVcpus = count;
            return this;
        }

        /** Default: qboot where QEMU has it. */
        public Builder firmware(Path image) {
            firmware = image;
            return this;
        }

        /** Adds flash images. Default: none. */
        public Builder pflash(Path... images) {
            pflash.addAll(List.of(images));
            return this;
        }

        /** Default: 1. */
        public Builder bridges(int count) {
            bridges = count;
            return this;
        }

        /** Default: none. */
        public Builder pcieRootPorts(int count) {
            pcieRootPorts = count;
            return this;
        }

        /** Default: false. */
        public Builder iommu(boolean present) {
            iommu = present;
            return this;
        }

        /** Default: false. */
        public Builder iommuPlatform(boolean behind) {
            iommuPlatform = behind;
            return this;
        }

        /** Default: false. */
        public Builder ioThreads(boolean ownThreads) {
            ioThreads = ownThreads;
            return this;
        }

        /** Default: no virtio-rng. */
        public Builder entropySource(Path device) {
            entropySource = device;
            return this;
        }

        /** Default: true. */
        public Builder vhostNet(boolean used) {
            vhostNet = used;
            return this;
        }

        public MachineConfig build() {
            return new MachineConfig(
                    type,
                    options,
                    cpuFeatures,
                    maxVcpus,
                    Optional.ofNullable(firmware),
                    pflash,
                    bridges,
                    pcieRootPorts,
                    iommu,
                    iommuPlatform,
                    ioThreads,
                    Optional.ofNullable(entropySource),
                    vhostNet);
        }
    }
}
