// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.CancelledException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The disks of one machine. A disk is a block node (the host's side) and a virtio-blk device in a slot of the bridge (the
 * guest's side). Thread-safe; operations on different disks run at the same time.
 *
 * <p>A disk is on the books from before QEMU hears of it until QEMU has confirmed that both its halves are gone: a guest
 * that does not let go of a disk, or a call that is cut short, costs its slot, never the agreement with QEMU. Removing it
 * again takes up where the last attempt ended.
 */
final class Disks {
    private static final Logger log = LoggerFactory.getLogger(Disks.class);

    private final QmpClient qmp;
    private final DiskSlots slots = new DiskSlots();
    private final AtomicLong lastNumber = new AtomicLong();
    private final Map<String, Disk> byId = new ConcurrentHashMap<>();

    Disks(QmpClient qmp) {
        this.qmp = qmp;
    }

    /** @return the slots of the bridge and of the disk, {@code 02/1e} */
    String add(String id, Path image, boolean readOnly, Deadline deadline) {
        Disk disk = new Disk(lastNumber.incrementAndGet(), slots.take());
        if (byId.putIfAbsent(id, disk) != null) {
            slots.free(disk.slot);
            throw new HypervisorException("disk " + id + " is plugged in already; remove it first");
        }
        return withLock(disk, id, deadline, () -> {
            plug(id, disk, image, readOnly, deadline);
            return QemuCommandLine.slot(QemuCommandLine.BRIDGE_SLOT) + "/" + QemuCommandLine.slot(disk.slot);
        });
    }

    private void plug(String id, Disk disk, Path image, boolean readOnly, Deadline deadline) {
        try {
            // auto-read-only off: a writable disk whose file is not writable is an error now, not at the first write.
            qmp.execute(
                    "blockdev-add",
                    Map.of(
                            "driver",
                            "raw",
                            "node-name",
                            disk.node,
                            "read-only",
                            readOnly,
                            "auto-read-only",
                            false,
                            "file",
                            Map.of(
                                    "driver",
                                    "file",
                                    "filename",
                                    image.toAbsolutePath().toString(),
                                    "read-only",
                                    readOnly,
                                    "auto-read-only",
                                    false)),
                    deadline);
        } catch (QmpException refused) {
            forget(id, disk);
            throw new HypervisorException(
                    "cannot open the disk image " + image + ": " + refused.description(), refused);
        }
        try {
            // werror, rerror: the guest gets an I/O error. QEMU's default is to halt the machine when the host is full.
            qmp.execute(
                    "device_add",
                    Map.of(
                            "driver",
                            "virtio-blk-pci",
                            "id",
                            disk.device,
                            "drive",
                            disk.node,
                            "bus",
                            QemuCommandLine.BRIDGE,
                            "addr",
                            QemuCommandLine.slot(disk.slot),
                            "disable-legacy",
                            "on",
                            "werror",
                            "report",
                            "rerror",
                            "report"),
                    deadline);
        } catch (QmpException refused) {
            disk.deviceGone.complete(null);
            deleteNode(id, disk, deadline);
            throw new HypervisorException("cannot plug in the disk " + image + ": " + refused.description(), refused);
        }
    }

    /** Does nothing if there is no such disk. */
    void remove(String id, Deadline deadline) {
        Disk disk = byId.get(id);
        if (disk == null) {
            return;
        }
        withLock(disk, id, deadline, () -> {
            if (byId.get(id) == disk) {
                unplug(id, disk, deadline);
            }
            return id;
        });
    }

    private void unplug(String id, Disk disk, Deadline deadline) {
        if (!disk.deviceGone.isDone()) {
            try {
                qmp.execute("device_del", Map.of("id", disk.device), deadline);
            } catch (QmpException refused) {
                if (refused.errorClass().equals("DeviceNotFound")) {
                    disk.deviceGone.complete(null);
                } else if (!refused.description().contains("already in the process of unplug")) {
                    throw new HypervisorException(
                            "cannot unplug the disk " + id + ": " + refused.description(), refused);
                }
            }
            deadline.await(
                    disk.deviceGone,
                    "the guest's release of disk " + id + " (in slot " + QemuCommandLine.slot(disk.slot)
                            + ", which stays taken; a guest that is hung or has the disk in use does not release it)");
        }
        deleteNode(id, disk, deadline);
    }

    private void deleteNode(String id, Disk disk, Deadline deadline) {
        try {
            qmp.execute("blockdev-del", Map.of("node-name", disk.node), deadline);
        } catch (QmpException refused) {
            // A call cut short may have left a disk without a node.
            if (!refused.description().contains("Failed to find node")) {
                throw new HypervisorException(
                        "cannot close the image of disk " + id + ": " + refused.description(), refused);
            }
        }
        forget(id, disk);
    }

    private void forget(String id, Disk disk) {
        if (byId.remove(id, disk)) {
            slots.free(disk.slot);
        }
    }

    /** QEMU says that a device is gone: because we asked for it, or because the guest threw it out. */
    void deviceDeleted(String device) {
        byId.forEach((id, disk) -> {
            if (disk.device.equals(device)) {
                log.debug("disk released disk={} slot={}", id, disk.slot);
                disk.deviceGone.complete(null);
            }
        });
    }

    private static String withLock(Disk disk, String id, Deadline deadline, Supplier<String> action) {
        try {
            if (!disk.lock.tryLock(deadline.remaining().toNanos(), TimeUnit.NANOSECONDS)) {
                throw deadline.exceeded("the end of another operation on disk " + id);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for another operation on disk " + id);
        }
        try {
            return action.get();
        } finally {
            disk.lock.unlock();
        }
    }

    /** QEMU's ids are at most 31 characters long, so they are numbers and not the caller's ids. */
    private static final class Disk {
        final String node;
        final String device;
        final int slot;
        final ReentrantLock lock = new ReentrantLock();
        final CompletableFuture<Void> deviceGone = new CompletableFuture<>();

        Disk(long number, int slot) {
            this.node = "node" + number;
            this.device = "disk" + number;
            this.slot = slot;
        }
    }
}
