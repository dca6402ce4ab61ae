// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.MachineSize;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * Plugs processors and memory modules in and out. Nothing is remembered here: QEMU is asked which there are, by QMP
 * {@code query-hotpluggable-cpus} and {@code query-memory-devices}, so what a call cut short has left counts for the next.
 */
final class Resizing {
    private static final String PERIPHERAL = "/machine/peripheral/";

    /** The size of a block of memory that Linux on x86 can put to use or give up. */
    private static final long BLOCK = 128L << 20;

    private final QmpSession qmp;
    private final boolean shared;
    private final Deadline deadline;

    /** @param shared whether other programs of the host use the guest's memory: then all that is plugged in too */
    Resizing(QmpSession qmp, boolean shared, Deadline deadline) {
        this.qmp = qmp;
        this.shared = shared;
        this.deadline = deadline;
    }

    /** A place for a processor, or a processor. */
    private record Processor(String type, Map<String, Object> place, String path) {
        boolean isThere() {
            return !path.isEmpty();
        }

        boolean isRemovable() {
            return path.startsWith(PERIPHERAL);
        }

        String id() {
            return path.substring(PERIPHERAL.length());
        }
    }

    private record Module(String id, String backend, long bytes) {}

    MachineSize size() {
        JsonNode memory = qmp.execute("query-memory-size-summary", Map.of(), deadline);
        long bytes = memory.path("base-memory").asLong()
                + memory.path("plugged-memory").asLong();
        int vcpus = (int) processors().stream().filter(Processor::isThere).count();
        return new MachineSize(vcpus, MemorySize.ofBytes(bytes));
    }

    boolean isResized() {
        return processors().stream().anyMatch(Processor::isRemovable)
                || qmp.execute("query-memory-size-summary", Map.of(), deadline)
                                .path("plugged-memory")
                                .asLong()
                        > 0;
    }

    MachineSize resize(int vcpus, MemorySize memory) {
        MachineSize now = size();
        Optional<VirtioMem> virtioMem = virtioMem();
        if (virtioMem.isPresent()) {
            resizeProcessors(vcpus);
            resizeVirtioMem(virtioMem.get(), memory.bytes() - now.memory().bytes());
            return size();
        }
        List<Module> leaving = modulesFor(now.memory().bytes() - memory.bytes());
        resizeProcessors(vcpus);
        if (memory.bytes() > now.memory().bytes()) {
            addModule(memory.bytes() - now.memory().bytes());
        }
        leaving.forEach(this::removeModule);
        return size();
    }

    private record VirtioMem(String path, long bytes, long requested, long max, long block) {}

    private Optional<VirtioMem> virtioMem() {
        for (JsonNode entry : qmp.execute("query-memory-devices", Map.of(), deadline)) {
            JsonNode data = entry.path("data");
            if (entry.path("type").asText().equals("virtio-mem")) {
                return Optional.of(new VirtioMem(
                        PERIPHERAL + data.path("id").asText(),
                        data.path("size").asLong(),
                        data.path("requested-size").asLong(),
                        data.path("max-size").asLong(),
                        data.path("block-size").asLong()));
            }
        }
        return Optional.empty();
    }

    private void resizeVirtioMem(VirtioMem device, long more) {
        long wanted = device.bytes() + more;
        if (wanted < 0 || wanted > device.max() || wanted % device.block() != 0) {
            throw new InvalidConfigException(
                    "memory",
                    (more >> 20) + " MiB more",
                    "of this machine 0 to " + (device.max() >> 20) + " MiB can be plugged in, in multiples of "
                            + (device.block() >> 20));
        }
        Map<String, ?> change = Map.of("path", device.path(), "property", "requested-size", "value", wanted);
        execute("qom-set", change, "resize the memory");
        while (true) {
            CompletableFuture<Void> changed = qmp.events().memorySizeChanged();
            try {
                long bytes = virtioMem().orElse(device).bytes();
                if (bytes == wanted) {
                    return;
                }
                var unused = deadline.await(
                        CompletableFuture.anyOf(changed, qmp.client().ended()),
                        "the guest's change of its plugged memory to " + (wanted >> 20) + " MiB (it is at "
                                + (bytes >> 20) + "; a guest that is hung, paused or uses it does not let go of it)");
            } finally {
                changed.cancel(false);
            }
        }
    }

    private List<Processor> processors() {
        List<Processor> all = new ArrayList<>();
        for (JsonNode entry : qmp.execute("query-hotpluggable-cpus", Map.of(), deadline)) {
            Map<String, Object> place = new HashMap<>();
            entry.path("props").properties().forEach(p -> {
                if (!p.getKey().equals("node-id")) {
                    place.put(p.getKey(), p.getValue().asInt());
                }
            });
            all.add(new Processor(
                    entry.path("type").asText(), place, entry.path("qom-path").asText("")));
        }
        return all;
    }

    private void resizeProcessors(int wanted) {
        List<Processor> all = processors();
        List<Processor> there = all.stream().filter(Processor::isThere).toList();
        List<Processor> free = all.stream().filter(p -> !p.isThere()).toList();
        List<Processor> removable =
                there.stream().filter(Processor::isRemovable).toList();
        int least = there.size() - removable.size();
        if (wanted < least || wanted > all.size()) {
            throw new InvalidConfigException(
                    "vcpus",
                    Integer.toString(wanted),
                    "this machine can have " + least + " to " + all.size()
                            + ": it was started with the former, and maxVcpus says the latter");
        }
        if (wanted < there.size()
                && !qmp.execute("query-kvm", Map.of(), deadline).path("enabled").asBoolean()) {
            // QEMU 7.2: "corrupted double-linked list", or a segmentation fault, some moments later.
            throw new UnsupportedException("a processor cannot be plugged out of an emulated machine (TCG), as QEMU"
                    + " crashes from it; it can with KVM. The machine has " + there.size());
        }
        for (int i = there.size(); i < wanted; i++) {
            Processor place = free.get(free.size() - 1 - (i - there.size())); // QEMU lists the last place first
            Map<String, Object> arguments = new HashMap<>(place.place());
            arguments.put("driver", place.type());
            arguments.put(
                    "id",
                    "vcpu"
                            + place.place().values().stream()
                                    .mapToInt(v -> (Integer) v)
                                    .sum());
            plug(arguments, "a processor");
        }
        for (int i = there.size(); i > wanted; i--) {
            unplug(removable.get(there.size() - i).id(), "a processor");
        }
    }

    private List<Module> modules() {
        List<Module> all = new ArrayList<>();
        for (JsonNode entry : qmp.execute("query-memory-devices", Map.of(), deadline)) {
            JsonNode data = entry.path("data");
            if (entry.path("type").asText().equals("dimm")) {
                String backend = data.path("memdev").asText();
                all.add(new Module(
                        data.path("id").asText(),
                        backend.substring(backend.lastIndexOf('/') + 1),
                        data.path("size").asLong()));
            }
        }
        return all;
    }

    private void addModule(long bytes) {
        if (bytes % BLOCK != 0) {
            throw new InvalidConfigException(
                    "memory", (bytes >> 20) + " MiB more", "must be a multiple of " + (BLOCK >> 20) + " MiB");
        }
        List<String> taken = modules().stream().map(Module::id).toList();
        int number = 0;
        while (taken.contains("dimm" + number)) {
            number++;
        }
        String id = "dimm" + number;
        String backend = "ram-" + id;
        Map<String, ?> memory = shared
                ? Map.of("qom-type", "memory-backend-memfd", "id", backend, "size", bytes, "share", true)
                : Map.of("qom-type", "memory-backend-ram", "id", backend, "size", bytes);
        execute("object-add", memory, "get memory");
        try {
            plug(Map.of("driver", "pc-dimm", "id", id, "memdev", backend), "memory of " + (bytes >> 20) + " MiB");
        } catch (HypervisorException e) {
            if (e.getCause() instanceof QmpException) { // refused; else the module is there
                execute("object-del", Map.of("id", backend), "give back memory");
            }
            throw e;
        }
    }

    /** Those modules that make up this much together, the last first; none for nothing. */
    private List<Module> modulesFor(long bytes) {
        List<Module> chosen = new ArrayList<>();
        long left = Math.max(0, bytes);
        List<Module> newestFirst = modules().stream()
                .sorted(Comparator.comparing(Module::id).reversed())
                .toList();
        for (Module module : newestFirst) {
            if (module.bytes() <= left) {
                chosen.add(module);
                left -= module.bytes();
            }
        }
        if (left != 0) {
            throw new InvalidConfigException(
                    "memory",
                    (bytes >> 20) + " MiB less",
                    "memory goes back in the pieces in which it was plugged in, of MiB "
                            + newestFirst.stream().map(m -> m.bytes() >> 20).toList());
        }
        return chosen;
    }

    private void removeModule(Module module) {
        unplug(module.id(), "memory of " + (module.bytes() >> 20) + " MiB");
        execute("object-del", Map.of("id", module.backend()), "give back memory");
    }

    /** Returns when the guest has it. */
    private void plug(Map<String, ?> device, String what) {
        CompletableFuture<Void> inUse = qmp.events().deviceInUse(name -> name.equals(device.get("id")));
        try {
            execute("device_add", device, "plug in " + what);
            var unused = deadline.await(
                    CompletableFuture.anyOf(inUse, qmp.client().ended()),
                    "the guest's taking of " + what + " that is plugged in (" + device.get("id") + ")");
        } finally {
            inUse.cancel(false);
        }
    }

    private void unplug(String device, String what) {
        CompletableFuture<Void> released = qmp.events().deviceDeleted(device::equals);
        try {
            execute("device_del", Map.of("id", device), "unplug " + what);
            var unused = deadline.await(
                    CompletableFuture.anyOf(released, qmp.client().ended()),
                    "the guest's release of " + what + " (" + device
                            + "; a guest that is hung, paused or uses it all does not release it)");
        } finally {
            released.cancel(false);
        }
    }

    private void execute(String command, Map<String, ?> arguments, String what) {
        try {
            var unused = qmp.execute(command, arguments, deadline);
        } catch (QmpException refused) {
            throw new HypervisorException("cannot " + what + ": " + refused.description(), refused);
        }
    }
}
