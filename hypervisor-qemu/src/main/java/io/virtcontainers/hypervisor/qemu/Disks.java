// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.BlockConfig;
import io.virtcontainers.BlockDriver;
import io.virtcontainers.Device;
import io.virtcontainers.DiskFormat;
import io.virtcontainers.HypervisorConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Disks that are plugged in: a block node, and a virtio-blk device or a disk of the virtio-scsi controller. */
final class Disks {
    /** The controller of a machine with {@link BlockDriver#VIRTIO_SCSI}. */
    static final String CONTROLLER = "scsi0";

    private static final int TYPE = 0_170_000;
    private static final int BLOCK_DEVICE = 0_060_000;

    private Disks() {}

    static boolean isScsi(HypervisorConfig settings) {
        return settings.block().driver() == BlockDriver.VIRTIO_SCSI;
    }

    /** @param opened the path by which QEMU opens the image */
    static Plug plug(Device.Block disk, Path opened, HypervisorConfig settings) {
        if (disk.format() == DiskFormat.QCOW2) {
            Qcow2.requireSelfContained(disk.image());
        }
        Plug.HostSide node =
                new Plug.HostSide("blockdev-add", "node-name", node(disk, opened, settings.block()), "drive");
        // werror, rerror: the guest gets an I/O error. QEMU's default is to halt the machine when the host is full.
        Map<String, Object> device = new HashMap<>(Map.of("werror", "report", "rerror", "report"));
        if (isScsi(settings)) {
            device.put("driver", "scsi-hd");
            return new Plug(disk.id(), "the disk " + disk.image(), Plug.Bus.SCSI, Optional.of(node), device);
        }
        device.put("driver", "virtio-blk-pci");
        device.put("disable-legacy", "on");
        if (settings.machine().ioThreads()) {
            device.put("iothread", ExtraDevices.IO_THREAD);
        }
        return new Plug(disk.id(), "the disk " + disk.image(), Plug.Bus.PCI, Optional.of(node), device);
    }

    // auto-read-only off: a writable disk whose file is not writable is an error now, not at the first write.
    private static Map<String, ?> node(Device.Block disk, Path opened, BlockConfig settings) {
        Map<String, ?> cache = Map.of("direct", settings.cacheDirect(), "no-flush", settings.cacheNoFlush());
        Map<String, ?> file = Map.of(
                "driver",
                isBlockDevice(disk.image()) ? "host_device" : "file",
                "filename",
                opened.toAbsolutePath().toString(),
                "read-only",
                disk.readOnly(),
                "auto-read-only",
                false,
                "discard",
                "unmap",
                "cache",
                cache);
        Map<String, Object> node = new HashMap<>(Map.of(
                "driver",
                disk.format() == DiskFormat.QCOW2 ? "qcow2" : "raw",
                "read-only",
                disk.readOnly(),
                "auto-read-only",
                false,
                "discard",
                "unmap",
                "cache",
                cache,
                "file",
                file));
        if (disk.format() == DiskFormat.QCOW2) {
            node.put("backing", null);
        }
        return node;
    }

    /** A file that is not there is QEMU's to tell. */
    private static boolean isBlockDevice(Path image) {
        try {
            return ((Integer) Files.getAttribute(image, "unix:mode") & TYPE) == BLOCK_DEVICE;
        } catch (IOException e) {
            return false;
        }
    }
}
