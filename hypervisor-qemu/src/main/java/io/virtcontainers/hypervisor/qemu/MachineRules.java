// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.GuestMemoryConfig;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Which settings of a machine and its memory go together, and with this host; checked before anything is started. */
final class MachineRules {
    private static final int MAX_PFLASH = 2;
    private static final long CHARACTER_DEVICE = 0_020_000;
    private static final long TYPE = 0_170_000;

    private MachineRules() {}

    /**
     * @throws UnsupportedException if this kind of machine cannot have it
     * @throws InvalidConfigException if two settings contradict each other, or name a file that is not there
     * @throws HostSetupException if the host has not enough huge pages
     */
    static void check(VmConfig config) {
        MachineConfig machine = config.settings().machine();
        MachineModel model = MachineModel.of(machine.type());
        refuse(machine, machine.iommu() && model != MachineModel.Q35, "an IOMMU", "use Q35");
        refuse(machine, machine.pcieRootPorts() > 0 && !model.isPcie(), "PCIe root ports", "use Q35");
        refuse(machine, machine.bridges() > 1 && !model.hasPci(), "PCI bridges", "use Q35 or PC");
        refuse(machine, !machine.pflash().isEmpty() && !model.hasPci(), "flash memory", "use Q35 or PC");
        refuse(machine, Disks.isScsi(config.settings()) && !model.hasPci(), "virtio-scsi disks", "use Q35 or PC");
        GuestMemoryConfig memory = config.settings().memory();
        refuse(machine, memory.virtioMem() && !model.hasPci(), "virtio-mem", "use Q35 or PC");
        refuse(machine, memory.balloon() && !model.hasPci(), "a balloon", "use Q35 or PC");
        refuse(machine, memory.persistent().bytes() > 0 && !model.hasPci(), "persistent memory", "use Q35 or PC");
        if (memory.persistent().bytes() > 0 && config.settings().user().isPresent()) {
            throw new UnsupportedException("a hypervisor that runs as user "
                    + config.settings().user().get() + " cannot have persistent memory");
        }
        boolean nvdimm = config.image().disk().filter(disk -> disk.nvdimm()).isPresent();
        refuse(machine, nvdimm && !model.hasPci(), "nvdimm", "use GuestRoot.image, a virtio disk");
        if (machine.maxVcpus() > 0 && machine.maxVcpus() < config.vcpus()) {
            throw new InvalidConfigException(
                    "maxVcpus", Integer.toString(machine.maxVcpus()), "is less than the vcpus, " + config.vcpus());
        }
        if (machine.iommuPlatform() && !machine.iommu()) {
            throw new InvalidConfigException("iommuPlatform", "true", "needs iommu, which is false");
        }
        if (machine.firmware().isPresent() && !machine.pflash().isEmpty()) {
            throw new InvalidConfigException(
                    "firmware", machine.firmware().get().toString(), "flash memory takes its place: give one of both");
        }
        if (machine.pflash().size() > MAX_PFLASH) {
            throw new InvalidConfigException("pflash", machine.pflash().toString(), "at most " + MAX_PFLASH);
        }
        machine.firmware().ifPresent(file -> requireFile("firmware", file));
        machine.pflash().forEach(file -> requireFile("pflash", file));
        machine.entropySource().ifPresent(MachineRules::requireEntropySource);
        checkMemory(config.settings().memory(), config);
    }

    private static void refuse(MachineConfig machine, boolean impossible, String what, String instead) {
        if (impossible) {
            throw new UnsupportedException("a machine " + machine.type() + " cannot have " + what + ": " + instead);
        }
    }

    private static void requireFile(String what, Path file) {
        if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
            throw new InvalidConfigException(what, file.toString(), "is no file that this user can read");
        }
    }

    private static void requireEntropySource(Path device) {
        try {
            int mode = (Integer) Files.getAttribute(device, "unix:mode");
            if ((mode & TYPE) == CHARACTER_DEVICE && Files.isReadable(device)) {
                return;
            }
        } catch (IOException e) {
            // Said below.
        }
        throw new InvalidConfigException(
                "entropy source",
                device.toString(),
                "is no character device that this user can read: /dev/urandom is one");
    }

    private static void checkMemory(GuestMemoryConfig memory, VmConfig config) {
        memory.max().filter(most -> most.compareTo(config.memory()) < 0).ifPresent(most -> {
            throw new InvalidConfigException(
                    "memory max", most.toString(), "is less than the memory, " + config.memory());
        });
        memory.fileDirectory().ifPresent(directory -> {
            if (memory.hugepages()) {
                throw new InvalidConfigException(
                        "memory file directory",
                        directory.toString(),
                        "huge pages are in no directory: give one of both");
            }
            if (!Files.isDirectory(directory) || !Files.isWritable(directory)) {
                throw new InvalidConfigException(
                        "memory file directory", directory.toString(), "is no directory that this user can write to");
            }
        });
        if (memory.virtioMem() && memory.max().isEmpty()) {
            throw new InvalidConfigException(
                    "memory virtioMem", "true", "needs the most that it can grow to, memory max");
        }
        boolean pinned = memory.hugepages() || memory.preallocate() || memory.locked();
        if (memory.balloon() && pinned) {
            throw new InvalidConfigException(
                    "memory balloon",
                    "true",
                    "gives memory back, while it is to be huge pages, preallocated or locked");
        }
        if (memory.hugepages()) {
            HugePages.requireFree(config.memory());
        }
    }
}
