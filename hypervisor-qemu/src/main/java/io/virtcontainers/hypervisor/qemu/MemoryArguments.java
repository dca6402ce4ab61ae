// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.GuestMemoryConfig;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.RootDisk;
import io.virtcontainers.spi.VmConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The guest's memory on QEMU's command line. */
final class MemoryArguments {
    static final String VIRTIO_MEM = "vmem0";

    private MemoryArguments() {}

    static List<String> of(VmConfig config) {
        List<String> line = new ArrayList<>(List.of("-m", config.memory().toMib() + "M" + room(config)));
        backend(config).ifPresent(backend -> {
            // Under the name that it has without an object: the memory of either machine can be copied to the other.
            String id = MachineModel.of(config.settings().machine().type()).memory();
            String size = ",id=" + id + ",size=" + config.memory().toMib() + "M";
            line.addAll(List.of("-object", backend + size, "-machine", "memory-backend=" + id));
        });
        if (config.settings().memory().locked()) {
            line.addAll(List.of("-overcommit", "mem-lock=on"));
        }
        return line;
    }

    /** Whether other programs of the host can be given the guest's memory. */
    static boolean isShared(HypervisorConfig settings) {
        GuestMemoryConfig memory = settings.memory();
        return memory.hugepages()
                || memory.fileDirectory().isPresent()
                || settings.sharedFs().type() == SharedFs.VIRTIO_FS;
    }

    /** Whether there can be memory at addresses beyond 4 GiB, however little there is at the start. */
    static boolean canGrow(VmConfig config) {
        return !room(config).isEmpty();
    }

    /** For modules that are plugged in; and for persistent memory, which takes a slot and addresses of its own. */
    private static String room(VmConfig config) {
        GuestMemoryConfig memory = config.settings().memory();
        long most = memory.max().orElse(config.memory()).toMib();
        boolean grows = most > config.memory().toMib();
        int slots = grows && !memory.virtioMem() ? memory.slots() : 0;
        Optional<RootDisk> nvdimm = config.image().disk().filter(disk -> disk.nvdimm());
        if (nvdimm.isPresent()) {
            slots++;
            most += (ExtraDevices.size(nvdimm.get()) >> 20) + 1;
        }
        if (PersistentMemory.hasRoom(config.settings())) {
            slots += PersistentMemory.SLOTS;
            most += memory.persistent().toMib() + 1;
        }
        boolean room = slots > 0 || (grows && memory.virtioMem());
        return room ? (slots > 0 ? ",slots=" + slots : "") + ",maxmem=" + most + "M" : "";
    }

    /** The device by which it grows and shrinks, see {@link Resizing}; and the one that gives free memory back. */
    static List<String> devices(VmConfig config) {
        GuestMemoryConfig memory = config.settings().memory();
        MachineConfig machine = config.settings().machine();
        List<String> line = new ArrayList<>();
        if (memory.virtioMem()) {
            long more = memory.max().orElseThrow().toMib() - config.memory().toMib();
            String kind = isShared(config.settings()) ? "memory-backend-memfd,share=on" : "memory-backend-ram";
            line.addAll(List.of(
                    "-object",
                    kind + ",id=" + VIRTIO_MEM + "-ram,size=" + more + "M",
                    "-device",
                    VirtioDevice.of(
                            machine,
                            "virtio-mem",
                            "id=" + VIRTIO_MEM,
                            "memdev=" + VIRTIO_MEM + "-ram",
                            "requested-size=0")));
        }
        if (memory.balloon()) {
            line.addAll(List.of(
                    "-device",
                    VirtioDevice.of(
                            machine, "virtio-balloon", "id=balloon0", "free-page-reporting=on", "deflate-on-oom=on")));
        }
        return line;
    }

    /** The object that the memory comes from, empty for plain anonymous memory. */
    private static Optional<String> backend(VmConfig config) {
        if (config.memoryImage() instanceof MemoryImage.Template template) {
            return Optional.of("memory-backend-file,share=on,mem-path=" + QemuCommandLine.escape(template.memory()));
        } else if (config.memoryImage() instanceof MemoryImage.Copy copy) {
            return Optional.of("memory-backend-file,share=on,mem-path=" + QemuCommandLine.escape(copy.memory()));
        } else if (config.memoryImage() instanceof MemoryImage.Clone clone) {
            return Optional.of("memory-backend-file,share=off,mem-path=" + QemuCommandLine.escape(clone.memory()));
        }
        GuestMemoryConfig memory = config.settings().memory();
        String preallocated = memory.preallocate() ? ",prealloc=on" : "";
        if (memory.hugepages()) {
            // Without a mount of hugetlbfs. Taken at once: a page that is missing later kills QEMU with SIGBUS.
            return Optional.of("memory-backend-memfd,hugetlb=on,share=on,prealloc=on");
        }
        if (memory.fileDirectory().isPresent()) {
            return Optional.of("memory-backend-file,share=on,mem-path="
                    + QemuCommandLine.escape(memory.fileDirectory().get()) + preallocated);
        }
        if (ShareArguments.isVirtioFs(config)) {
            // virtiofsd reads and writes the guest's memory.
            return Optional.of("memory-backend-memfd,share=on" + preallocated);
        }
        return memory.preallocate() ? Optional.of("memory-backend-ram" + preallocated) : Optional.empty();
    }
}
