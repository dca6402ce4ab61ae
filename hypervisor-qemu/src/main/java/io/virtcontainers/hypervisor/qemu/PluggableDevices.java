// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.Device;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.UnsupportedException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** Devices that are plugged in and are neither disks of ours nor network cards. */
final class PluggableDevices {
    private PluggableDevices() {}

    /** @throws UnsupportedException if this machine cannot take it, with what it would need */
    static Plug plug(Device device, HypervisorConfig settings, AgentAccess agent) {
        if (device instanceof Device.VhostUserBlock disk) {
            return vhostUserBlock(disk, settings);
        } else if (device instanceof Device.Vfio vfio) {
            return new Plug(
                    vfio.id(),
                    "the PCI device " + vfio.hostAddress(),
                    Plug.Bus.PCI,
                    Optional.empty(),
                    Map.of("driver", "vfio-pci", "host", vfio.hostAddress()));
        } else if (device instanceof Device.SerialPort port) {
            return serialPort(port, agent);
        }
        throw new UnsupportedException("QEMU backend: a device " + device + " is not the machine's to plug in");
    }

    private static Plug vhostUserBlock(Device.VhostUserBlock disk, HypervisorConfig settings) {
        if (!MemoryArguments.isShared(settings)) {
            throw new UnsupportedException(
                    "device " + disk.id() + " (vhost-user) needs memory that is shared with other"
                            + " programs: create the sandbox with VIRTIO_FS, huge pages, or a memory file directory");
        }
        return new Plug(
                disk.id(),
                "the vhost-user disk " + disk.socket(),
                Plug.Bus.PCI,
                Optional.of(socket(disk.socket(), 0)),
                Map.of("driver", "vhost-user-blk-pci", "disable-legacy", "on"));
    }

    private static Plug serialPort(Device.SerialPort port, AgentAccess agent) {
        if (!agent.isSerial()) {
            throw new UnsupportedException("device " + port.id() + " (serial port) needs the agent's channel"
                    + " VIRTIO_SERIAL, the machine has " + agent);
        }
        return new Plug(
                port.id(),
                "the serial port to " + port.socket(),
                Plug.Bus.SERIAL,
                Optional.of(socket(port.socket(), 1)),
                Map.of("driver", "virtserialport", "name", port.id()));
    }

    private static Plug.HostSide socket(Path path, int reconnectSeconds) {
        Map<String, ?> address = Map.of(
                "type", "unix", "data", Map.of("path", path.toAbsolutePath().toString()));
        Map<String, ?> socket = Map.of("addr", address, "server", false, "reconnect", reconnectSeconds);
        return new Plug.HostSide(
                "chardev-add", "id", Map.of("backend", Map.of("type", "socket", "data", socket)), "chardev");
    }
}
