// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.virtcontainers.Device;
import io.virtcontainers.DiskFormat;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.PluggedDisk;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The devices that were plugged into one machine. Nothing is remembered here: QEMU is asked which there are, so other
 * processes may plug devices in and out between two calls, and what a call cut short has left is seen and removed by the
 * next. A guest that does not let go of a device costs its slot, never the agreement with QEMU. Thread-safe; different
 * devices are removed at the same time.
 */
final class PluggedDevices {
    /** How the host's side of a device is removed, of whichever kind it is: command and the argument with its name. */
    private static final Map<String, String> REMOVALS =
            Map.of("blockdev-del", "node-name", "netdev_del", "id", "chardev-remove", "id");

    /** Sorted: a saved machine is found by its command line. */
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
            .build();

    private final Link link;
    private final ReentrantLock plugging = new ReentrantLock();

    PluggedDevices(Link link) {
        this.link = link;
    }

    /** @return where the guest finds it, see {@link Plug.Bus} */
    String add(Plug plug, Deadline deadline) {
        return add(plug, Optional.empty(), deadline);
    }

    /** @param host makes the host's side, by another connection to QEMU, over which files can go */
    String add(Plug plug, Commands host, Deadline deadline) {
        return add(plug, Optional.of(host), deadline);
    }

    private String add(Plug plug, Optional<Commands> host, Deadline deadline) {
        // From the choice of a slot until QEMU has it.
        Locks.acquire(plugging, deadline, "the plugging in of another device before " + plug.id());
        try {
            return link.call(
                    deadline,
                    qmp -> add(
                            qmp,
                            plug,
                            host.orElse((command, arguments) -> {
                                var unused = qmp.execute(command, arguments, deadline);
                            }),
                            deadline));
        } finally {
            plugging.unlock();
        }
    }

    /** Runs a command of QMP. */
    interface Commands {
        /** @throws QmpException if QEMU refuses it */
        void execute(String command, Map<String, ?> arguments);
    }

    private static String add(QmpSession qmp, Plug plug, Commands hostSide, Deadline deadline) {
        DeviceNames names = new DeviceNames(plug.id());
        List<String> devices = devices(qmp, deadline);
        if (names.deviceAmong(devices).isPresent()) {
            throw pluggedInAlready(plug.id());
        }
        int place = plug.bus().hasPlaces() ? freePlace(plug.bus(), devices) : 0;
        Map<String, Object> device = new HashMap<>(plug.device());
        plug.host().ifPresent(host -> {
            addHostSide(hostSide, plug, host, names);
            device.put(host.reference(), names.host());
        });
        device.put("id", names.device(plug.bus(), place));
        try {
            device.putAll(place(plug.bus(), place));
            var unused = qmp.execute("device_add", device, deadline);
        } catch (QmpException refused) {
            if (plug.host().isPresent()) {
                boolean unused = deleteHostSide(qmp, plug.id(), names, deadline);
            }
            throw new HypervisorException("cannot plug in " + plug.what() + ": " + refused.description(), refused);
        }
        return address(plug.bus(), place, plug.id());
    }

    private static String address(Plug.Bus bus, int place, String id) {
        return switch (bus) {
            case PCI -> QemuCommandLine.slot(QemuCommandLine.BRIDGE_SLOT) + "/" + QemuCommandLine.slot(place);
            case SCSI -> place + ":0";
            case SERIAL -> "/dev/virtio-ports/" + id;
        };
    }

    /** The opposite of {@link #address}. */
    private static int place(Plug.Bus bus, String address) {
        return switch (bus) {
            case PCI -> Integer.parseInt(address.substring(address.indexOf('/') + 1), 16);
            case SCSI -> Integer.parseInt(address.substring(0, address.indexOf(':')));
            case SERIAL -> 0;
        };
    }

    /** Those of these that are disks, and are there. */
    List<PluggedDisk> disks(Collection<String> ids, Deadline deadline) {
        return link.call(deadline, qmp -> {
            List<String> devices = devices(qmp, deadline);
            Map<String, JsonNode> nodes = new HashMap<>();
            for (JsonNode node : qmp.execute("query-named-block-nodes", Map.of("flat", true), deadline)) {
                nodes.put(node.path("node-name").asText(), node);
            }
            List<PluggedDisk> found = new ArrayList<>();
            for (String id : ids) {
                DeviceNames names = new DeviceNames(id);
                JsonNode node = nodes.get(names.host());
                Optional<String> device = names.deviceAmong(devices);
                for (Plug.Bus bus : Plug.Bus.values()) {
                    Optional<Integer> place = device.flatMap(name -> DeviceNames.placeOf(bus, name));
                    if (place.isPresent() && node != null) {
                        found.add(new PluggedDisk(disk(id, node), address(bus, place.get(), id)));
                    }
                }
            }
            return found;
        });
    }

    private static Device.Block disk(String id, JsonNode node) {
        DiskFormat format = node.path("drv").asText().equals("qcow2") ? DiskFormat.QCOW2 : DiskFormat.RAW;
        return new Device.Block(
                id, Path.of(node.path("file").asText()), node.path("ro").asBoolean(), format);
    }

    /** On the command line: what {@link #add} would plug in, at these places. */
    static List<String> arguments(VmConfig config) {
        List<String> line = new ArrayList<>();
        for (PluggedDisk plugged : config.disks()) {
            Device.Block disk = plugged.disk();
            Plug plug = Disks.plug(disk, disk.image(), config.settings());
            DeviceNames names = new DeviceNames(disk.id());
            int place = place(plug.bus(), plugged.address());
            Map<String, Object> device = new HashMap<>(plug.device());
            plug.host().ifPresent(host -> {
                Map<String, Object> node = new HashMap<>(host.arguments());
                node.put(host.name(), names.host());
                line.addAll(List.of("-blockdev", json(node)));
                device.put(host.reference(), names.host());
            });
            device.put("id", names.device(plug.bus(), place));
            device.putAll(place(plug.bus(), place));
            line.addAll(List.of("-device", json(device)));
        }
        return line;
    }

    private static String json(Map<String, ?> properties) {
        try {
            return JSON.writeValueAsString(properties);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a map of texts is always JSON", e);
        }
    }

    private static Map<String, ?> place(Plug.Bus bus, int place) {
        return switch (bus) {
            case PCI -> Map.of("bus", QemuCommandLine.BRIDGE, "addr", QemuCommandLine.slot(place));
            case SCSI -> Map.of("bus", Disks.CONTROLLER + ".0", "channel", 0, "scsi-id", place, "lun", 0);
            case SERIAL -> Map.of("bus", AgentDevices.SERIAL_BUS);
        };
    }

    private static void addHostSide(Commands commands, Plug plug, Plug.HostSide host, DeviceNames names) {
        Map<String, Object> arguments = new HashMap<>(host.arguments());
        arguments.put(host.name(), names.host());
        try {
            commands.execute(host.command(), arguments);
        } catch (QmpException refused) {
            if (refused.description().contains("node-name=")
                    || refused.description().contains("Duplicate ID")) {
                throw pluggedInAlready(plug.id());
            }
            throw new HypervisorException("cannot open " + plug.what() + ": " + refused.description(), refused);
        }
    }

    private static HypervisorException pluggedInAlready(String id) {
        return new HypervisorException("device " + id + " is plugged in already, or a part of it; remove it first");
    }

    /** The names of all devices that have one. A device is in the list until QEMU has released it, with its slot. */
    private static List<String> devices(QmpSession qmp, Deadline deadline) {
        List<String> names = new ArrayList<>();
        for (JsonNode child : qmp.execute("qom-list", Map.of("path", "/machine/peripheral"), deadline)) {
            names.add(child.path("name").asText());
        }
        return names;
    }

    private static int freePlace(Plug.Bus bus, List<String> devices) {
        List<Integer> taken = devices.stream()
                .flatMap(name -> DeviceNames.placeOf(bus, name).stream())
                .toList();
        for (int place = bus.first(); place <= bus.last(); place++) {
            if (!taken.contains(place)) {
                return place;
            }
        }
        throw new HypervisorException("no free slot for another device: a virtual machine has "
                + (bus.last() - bus.first() + 1) + " (" + bus + "); remove a container or use another sandbox");
    }

    /** Does nothing if there is no such device. */
    void remove(String id, Deadline deadline) {
        boolean unused = link.call(deadline, qmp -> {
            remove(qmp, id, deadline);
            return true;
        });
    }

    private static void remove(QmpSession qmp, String id, Deadline deadline) {
        DeviceNames names = new DeviceNames(id);
        // Before QEMU is asked for anything: so its end is not missed, whoever asked for it.
        CompletableFuture<Void> released = qmp.events().deviceDeleted(names::isDevice);
        try {
            Optional<String> device = names.deviceAmong(devices(qmp, deadline));
            if (device.isPresent() && unplug(qmp, id, device.get(), deadline)) {
                awaitRelease(qmp, released, id, device.get(), deadline);
            }
            if (!deleteHostSide(qmp, id, names, deadline)) {
                awaitRelease(qmp, released, id, names.host(), deadline);
                if (!deleteHostSide(qmp, id, names, deadline)) {
                    throw new HypervisorException(
                            "cannot close the host's side of device " + id + ": something else uses it");
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
            throw new HypervisorException("cannot unplug the device " + id + ": " + refused.description(), refused);
        }
    }

    private static void awaitRelease(
            QmpSession qmp, CompletableFuture<Void> released, String id, String name, Deadline deadline) {
        var unused = deadline.await(
                CompletableFuture.anyOf(released, qmp.client().ended()),
                "the guest's release of device " + id + " (" + name
                        + ", whose slot stays taken; a guest that is hung, paused or has it in use does not release it)");
    }

    /**
     * A call cut short may have left a device without it, or it without a device.
     *
     * @return false if the device that used it is gone from QEMU's list, and is about to let go of it
     */
    private static boolean deleteHostSide(QmpSession qmp, String id, DeviceNames names, Deadline deadline) {
        for (Map.Entry<String, String> removal : REMOVALS.entrySet()) {
            try {
                var unused = qmp.execute(removal.getKey(), Map.of(removal.getValue(), names.host()), deadline);
                return true; // it was of this kind
            } catch (QmpException refused) {
                String description = refused.description();
                if (description.contains("is in use") || description.contains("is busy")) {
                    return false;
                }
                boolean absent = description.contains("Failed to find node") || description.contains("not found");
                if (!absent) {
                    throw new HypervisorException(
                            "cannot close the host's side of device " + id + ": " + description, refused);
                }
            }
        }
        return true;
    }
}
