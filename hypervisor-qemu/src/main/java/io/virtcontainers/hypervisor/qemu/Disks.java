// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The disks of one machine. A disk is a block node (the host's side) and a virtio-blk device in a slot of the bridge (the
 * guest's side). Nothing is remembered here: QEMU is asked which there are, so other processes may plug disks in and out
 * between two calls, and what a call cut short has left is seen and removed by the next. A guest that does not let go of a
 * disk costs its slot, never the agreement with QEMU. Thread-safe; different disks are removed at the same time.
 */
final class Disks {
    /** The slots of the bridge for disks: slot 0 is never used by bridges, 31 has the agent's port. */
    static final int FIRST_SLOT = 1;

    static final int LAST_SLOT = 30;

    private final Link link;
    private final ReentrantLock plugging = new ReentrantLock();

    Disks(Link link) {
        this.link = link;
    }

    /** @return the slots of the bridge and of the disk, {@code 02/1e} */
    String add(String id, Path image, boolean readOnly, Deadline deadline) {
        // From the choice of a slot until QEMU has it.
        Locks.acquire(plugging, deadline, "the plugging in of another disk before " + id);
        try {
            return link.call(deadline, qmp -> add(qmp, id, image, readOnly, deadline));
        } finally {
            plugging.unlock();
        }
    }

    private static String add(QmpSession qmp, String id, Path image, boolean readOnly, Deadline deadline) {
        DiskNames names = new DiskNames(id);
        List<String> devices = devices(qmp, deadline);
        if (names.deviceAmong(devices).isPresent()) {
            throw pluggedInAlready(id);
        }
        int slot = freeSlot(devices);
        try {
            var unused = qmp.execute("blockdev-add", node(names.node(), image, readOnly), deadline);
        } catch (QmpException refused) {
            if (refused.description().contains("node-name=")) {
                throw pluggedInAlready(id);
            }
            throw new HypervisorException(
                    "cannot open the disk image " + image + ": " + refused.description(), refused);
        }
        try {
            Map<String, Object> device = new HashMap<>(device(names, slot));
            if (has(qmp, "/objects", ExtraDevices.IO_THREAD, deadline)) {
                device.put("iothread", ExtraDevices.IO_THREAD);
            }
            var unused = qmp.execute("device_add", device, deadline);
        } catch (QmpException refused) {
            boolean unused = deleteNode(qmp, id, names, deadline);
            throw new HypervisorException("cannot plug in the disk " + image + ": " + refused.description(), refused);
        }
        return QemuCommandLine.slot(QemuCommandLine.BRIDGE_SLOT) + "/" + QemuCommandLine.slot(slot);
    }

    private static HypervisorException pluggedInAlready(String id) {
        return new HypervisorException("disk " + id + " is plugged in already, or a part of it; remove it first");
    }

    /** The names of all devices that have one. A device is in the list until QEMU has released it, with its slot. */
    private static List<String> devices(QmpSession qmp, Deadline deadline) {
        List<String> names = new ArrayList<>();
        for (JsonNode child : qmp.execute("qom-list", Map.of("path", "/machine/peripheral"), deadline)) {
            names.add(child.path("name").asText());
        }
        return names;
    }

    private static boolean has(QmpSession qmp, String path, String name, Deadline deadline) {
        for (JsonNode child : qmp.execute("qom-list", Map.of("path", path), deadline)) {
            if (child.path("name").asText().equals(name)) {
                return true;
            }
        }
        return false;
    }

    private static int freeSlot(List<String> devices) {
        List<Integer> taken = devices.stream()
                .flatMap(name -> DiskNames.slotOf(name).stream())
                .toList();
        for (int slot = FIRST_SLOT; slot <= LAST_SLOT; slot++) {
            if (!taken.contains(slot)) {
                return slot;
            }
        }
        throw new HypervisorException("no free slot for another disk: a virtual machine has "
                + (LAST_SLOT - FIRST_SLOT + 1) + "; remove a container or use another sandbox");
    }

    // auto-read-only off: a writable disk whose file is not writable is an error now, not at the first write.
    private static Map<String, ?> node(String name, Path image, boolean readOnly) {
        Map<String, ?> file = Map.of(
                "driver",
                "file",
                "filename",
                image.toAbsolutePath().toString(),
                "read-only",
                readOnly,
                "auto-read-only",
                false);
        return Map.of("driver", "raw", "node-name", name, "read-only", readOnly, "auto-read-only", false, "file", file);
    }

    // werror, rerror: the guest gets an I/O error. QEMU's default is to halt the machine when the host is full.
    private static Map<String, ?> device(DiskNames names, int slot) {
        return Map.of(
                "driver",
                "virtio-blk-pci",
                "id",
                names.device(slot),
                "drive",
                names.node(),
                "bus",
                QemuCommandLine.BRIDGE,
                "addr",
                QemuCommandLine.slot(slot),
                "disable-legacy",
                "on",
                "werror",
                "report",
                "rerror",
                "report");
    }

    /** Does nothing if there is no such disk. */
    void remove(String id, Deadline deadline) {
        boolean unused = link.call(deadline, qmp -> {
            remove(qmp, id, deadline);
            return true;
        });
    }

    private static void remove(QmpSession qmp, String id, Deadline deadline) {
        DiskNames names = new DiskNames(id);
        // Before QEMU is asked for anything: so its end is not missed, whoever asked for it.
        CompletableFuture<Void> released = qmp.events().deviceDeleted(names::isDevice);
        try {
            Optional<String> device = names.deviceAmong(devices(qmp, deadline));
            if (device.isPresent() && unplug(qmp, id, device.get(), deadline)) {
                awaitRelease(qmp, released, id, device.get(), deadline);
            }
            if (!deleteNode(qmp, id, names, deadline)) {
                awaitRelease(qmp, released, id, names.node(), deadline);
                if (!deleteNode(qmp, id, names, deadline)) {
                    throw new HypervisorException("cannot close the image of disk " + id + ": something else uses it");
                }
            }
        } finally {
            released.cancel(false);
        }
    }

    /** @return whether the guest is asked to let go of it; false if it has already */
    private static boolean unplug(QmpSession qmp, String id, String device, Deadline deadline) {
        try {
            var unused = qmp.execute("device_del", Map.of("id", device), deadline);
            return true;
        } catch (QmpException refused) {
            if (refused.errorClass().equals("DeviceNotFound")) {
                return false;
            }
            if (refused.description().contains("already in the process of unplug")) {
                return true;
            }
            throw new HypervisorException("cannot unplug the disk " + id + ": " + refused.description(), refused);
        }
    }

    private static void awaitRelease(
            QmpSession qmp, CompletableFuture<Void> released, String id, String name, Deadline deadline) {
        var unused = deadline.await(
                CompletableFuture.anyOf(released, qmp.client().ended()),
                "the guest's release of disk " + id + " (" + name
                        + ", whose slot stays taken; a guest that is hung, paused or has the disk in use does not release it)");
    }

    /** @return false if the device that used it is gone from QEMU's list, and is about to let go of it */
    private static boolean deleteNode(QmpSession qmp, String id, DiskNames names, Deadline deadline) {
        try {
            var unused = qmp.execute("blockdev-del", Map.of("node-name", names.node()), deadline);
            return true;
        } catch (QmpException refused) {
            // A call cut short may have left a disk without a node.
            if (refused.description().contains("Failed to find node")) {
                return true;
            }
            if (refused.description().contains("is in use")) {
                return false;
            }
            throw new HypervisorException(
                    "cannot close the image of disk " + id + ": " + refused.description(), refused);
        }
    }
}
