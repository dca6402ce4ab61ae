// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.MachineConfig;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * The devices by which the agent of one machine is reached. The command line of the running QEMU tells which they are, so a
 * process that attaches needs no other record of them. Both kinds sit behind the bridge, see {@link QemuCommandLine}.
 */
sealed interface AgentDevices {
    /** What ports are plugged into, where the agent's channel is virtio-serial. */
    String SERIAL_BUS = "serial0.0";

    /** The arguments that QEMU needs for them. */
    List<String> arguments(VmConfig config);

    /** What the agent needs to know of them. */
    List<String> kernelParameters();

    List<GuestChannel> channels(SandboxFiles files, boolean detached);

    /** In the last slot of the first bridge, as the disks have 1 to 0x1e; without I/O ports. */
    private static String place(MachineConfig machine) {
        return MachineModel.of(machine.type()).hasPci() ? ",bus=" + QemuCommandLine.BRIDGE + ",addr=1f" : "";
    }

    /** @param commandLine of a QEMU that {@link QemuCommandLine} made */
    static AgentDevices of(List<String> commandLine) {
        for (String argument : commandLine) {
            if (argument.startsWith(Vsock.KIND)) {
                int at = argument.indexOf(Vsock.CID) + Vsock.CID.length();
                return new Vsock(Integer.parseUnsignedInt(argument.substring(at).split(",", 2)[0]));
            }
        }
        return new Serial(commandLine.stream().anyMatch(argument -> argument.startsWith(Serial.YAMUX_CHARDEV)));
    }

    /** @param yamux whether the agent speaks yamux on its ports; the devices are the same but for a name, for {@link #of} */
    record Serial(boolean yamux) implements AgentDevices {
        private static final int PLUGGED_PORTS = 2;
        private static final String YAMUX_CHARDEV = "socket,id=yamux0,";

        /** The names under which the Kata agent looks for its ports, without their number. */
        private static final String AGENT_PORT = "agent.channel.";

        @Override
        public List<String> arguments(VmConfig config) {
            MachineConfig machine = config.settings().machine();
            List<Path> sockets = new SandboxFiles(config.directory()).agentSockets(config.detached());
            List<String> line = new ArrayList<>();
            // max_ports: port 0 is kept for a console by definition, the agent's begin at 1; two can be plugged in.
            line.addAll(List.of(
                    "-device",
                    VirtioDevice.of(
                            machine,
                            "virtio-serial",
                            "id=serial0" + place(machine),
                            "max_ports=" + (1 + sockets.size() + PLUGGED_PORTS))));
            for (int port = 0; port < sockets.size(); port++) {
                String id = (yamux ? "yamux" : "agent") + port;
                String socket = QemuCommandLine.escape(sockets.get(port).toString());
                line.addAll(List.of("-chardev", "socket,id=" + id + ",server=on,wait=off,path=" + socket));
                line.addAll(List.of("-device", "virtserialport,chardev=" + id + ",name=" + AGENT_PORT + port));
            }
            return line;
        }

        @Override
        public List<String> kernelParameters() {
            return yamux ? List.of("agent.use_vsock=false") : List.of();
        }

        @Override
        public List<GuestChannel> channels(SandboxFiles files, boolean detached) {
            return files.agentSockets(detached).stream()
                    .<GuestChannel>map(socket -> new GuestChannel.VirtioSerial(socket, yamux))
                    .toList();
        }

        @Override
        public String toString() {
            return yamux ? "virtio-serial with yamux" : "virtio-serial";
        }
    }

    /** @param cid the guest's address, 3 to 2^32-2, unsigned; unique on the host */
    record Vsock(int cid) implements AgentDevices {
        private static final String KIND = "vhost-vsock";
        private static final String CID = "guest-cid=";
        private static final long FIRST_CID = 3; // those below are the host's
        private static final long CID_ANY = 0xffff_ffffL;

        static Vsock random() {
            return new Vsock((int) ThreadLocalRandom.current().nextLong(FIRST_CID, CID_ANY));
        }

        @Override
        public List<String> arguments(VmConfig config) {
            MachineConfig machine = config.settings().machine();
            return List.of(
                    "-device",
                    VirtioDevice.of(machine, KIND, "id=vsock0" + place(machine), CID + Integer.toUnsignedString(cid)));
        }

        @Override
        public List<String> kernelParameters() {
            return List.of("agent.use_vsock=true");
        }

        @Override
        public List<GuestChannel> channels(SandboxFiles files, boolean detached) {
            return List.of(new GuestChannel.Vsock(cid, GuestChannel.AGENT_PORT));
        }

        @Override
        public String toString() {
            return "vsock with CID " + Integer.toUnsignedString(cid);
        }
    }
}
