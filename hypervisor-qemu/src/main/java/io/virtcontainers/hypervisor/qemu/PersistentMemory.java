// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.Device;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Files that are plugged into one machine as nvdimms. QEMU cannot unplug them ("nvdimm device hot unplug is not supported
 * yet"), so their names are made of the file and its mode, not of the caller's id: the next that asks for the file finds it,
 * in whichever process.
 */
final class PersistentMemory {
    /** How many files, at most. */
    static final int SLOTS = 16;

    private static final String READ = "pmem-ro-";
    private static final String WRITE = "pmem-rw-";
    private static final String BACKEND = "-file";

    private final Link link;
    private final ReentrantLock plugging = new ReentrantLock();

    PersistentMemory(Link link) {
        this.link = link;
    }

    static boolean hasRoom(HypervisorConfig settings) {
        return settings.memory().persistent().bytes() > 0;
    }

    /** @return its first physical address in the guest, {@code 0x140000000} */
    String add(Device.Persistent memory, Deadline deadline) {
        Locks.acquire(plugging, deadline, "the plugging in of other persistent memory before " + memory.image());
        try {
            Path image = memory.image().toRealPath();
            String hash = new DeviceNames(image.toString()).hash();
            String name = (memory.readOnly() ? READ : WRITE) + hash;
            String other = (memory.readOnly() ? WRITE : READ) + hash;
            long size;
            try (FileChannel channel = FileChannel.open(image)) {
                size = channel.size();
            }
            return link.call(deadline, qmp -> {
                if (address(qmp, other, deadline).isPresent()) {
                    throw new InvalidConfigException(
                            "persistent memory",
                            image.toString(),
                            "is in this sandbox as " + (memory.readOnly() ? "writable" : "read-only")
                                    + " already, until it ends");
                }
                Optional<String> there = address(qmp, name, deadline);
                if (there.isEmpty()) {
                    plug(qmp, name, image, size, memory.readOnly(), deadline);
                    there = address(qmp, name, deadline);
                }
                return there.orElseThrow(() ->
                        new HypervisorException("QEMU does not tell where the persistent memory " + image + " is"));
            });
        } catch (IOException e) {
            throw new HypervisorException("cannot look at " + memory.image() + ": " + e, e);
        } finally {
            plugging.unlock();
        }
    }

    private static Optional<String> address(QmpSession qmp, String name, Deadline deadline) {
        for (JsonNode device : qmp.execute("query-memory-devices", Map.of(), deadline)) {
            JsonNode data = device.path("data");
            if (data.path("id").asText().equals(name)) {
                return Optional.of("0x" + Long.toHexString(data.path("addr").asLong()));
            }
        }
        return Optional.empty();
    }

    private static void plug(QmpSession qmp, String name, Path image, long size, boolean readOnly, Deadline deadline) {
        Map<String, Object> file = new HashMap<>(Map.of(
                "qom-type",
                "memory-backend-file",
                "id",
                name + BACKEND,
                "mem-path",
                image.toString(),
                "size",
                size,
                "share",
                true));
        if (readOnly) {
            file.put("readonly", true);
        }
        try {
            // What a call cut short has left, without its device.
            var unused = qmp.execute("object-del", Map.of("id", name + BACKEND), deadline);
        } catch (QmpException absent) {
            // As it should be.
        }
        try {
            var unused = qmp.execute("object-add", file, deadline);
        } catch (QmpException refused) {
            throw new HypervisorException(
                    "cannot open the persistent memory " + image + ": " + refused.description(), refused);
        }
        try {
            // unarmed: the guest knows that it cannot write.
            var unused = qmp.execute(
                    "device_add",
                    Map.of("driver", "nvdimm", "id", name, "memdev", name + BACKEND, "unarmed", readOnly),
                    deadline);
        } catch (QmpException refused) {
            var unused = qmp.execute("object-del", Map.of("id", name + BACKEND), deadline);
            throw new HypervisorException(
                    "cannot plug in the persistent memory " + image + ", of " + size + " bytes: "
                            + refused.description() + "; what all need together is GuestMemoryConfig.persistent",
                    refused);
        }
    }
}
