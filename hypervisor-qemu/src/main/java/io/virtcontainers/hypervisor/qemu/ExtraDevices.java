// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.MachineConfig;
import io.virtcontainers.spi.RootDisk;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;

/** Devices on QEMU's command line that are there only if the user asks for them. */
final class ExtraDevices {
    /** The thread for disks. */
    static final String IO_THREAD = "iothread0";

    private ExtraDevices() {}

    static List<String> of(VmConfig config) {
        MachineConfig machine = config.settings().machine();
        List<String> line = new ArrayList<>();
        if (machine.ioThreads()) {
            line.addAll(List.of("-object", "iothread,id=" + IO_THREAD));
        }
        if (Disks.isScsi(config.settings())) {
            List<String> properties = new ArrayList<>(List.of("id=" + Disks.CONTROLLER));
            if (machine.ioThreads()) {
                properties.add("iothread=" + IO_THREAD);
            }
            line.addAll(List.of("-device", VirtioDevice.of(machine, "virtio-scsi", properties.toArray(String[]::new))));
        }
        config.image().disk().ifPresent(disk -> line.addAll(rootDisk(machine, disk)));
        machine.entropySource()
                .ifPresent(source -> line.addAll(List.of(
                        "-object",
                        "rng-random,id=rng0,filename=" + QemuCommandLine.escape(source),
                        "-device",
                        VirtioDevice.of(machine, "virtio-rng", "rng=rng0"))));
        line.addAll(MemoryArguments.devices(config));
        return line;
    }

    private static List<String> rootDisk(MachineConfig machine, RootDisk disk) {
        String file = QemuCommandLine.escape(disk.file());
        if (disk.nvdimm()) {
            // unarmed: the guest knows that it cannot write.
            return List.of(
                    "-object",
                    "memory-backend-file,id=guest-root,share=on,readonly=on,size=" + size(disk) + ",mem-path=" + file,
                    "-device",
                    "nvdimm,id=guest-root-nvdimm,memdev=guest-root,unarmed=on");
        }
        List<String> properties = new ArrayList<>(List.of("id=guest-root-disk", "drive=guest-root"));
        if (machine.ioThreads()) {
            properties.add("iothread=" + IO_THREAD);
        }
        return List.of(
                "-blockdev",
                "driver=raw,node-name=guest-root,read-only=on,file.driver=file,file.read-only=on,file.filename=" + file,
                "-device",
                VirtioDevice.of(machine, "virtio-blk", properties.toArray(String[]::new)));
    }

    static long size(RootDisk disk) {
        try {
            return Files.size(disk.file());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
