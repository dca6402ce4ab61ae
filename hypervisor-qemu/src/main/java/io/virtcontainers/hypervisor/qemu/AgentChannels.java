// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.UnsupportedException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/** Chooses how a machine's agent is reached. Thread-safe. */
final class AgentChannels {
    /** Of the kernel's command line; the agent goes by the last. */
    private static final String NO_VSOCK = "agent.use_vsock=false";

    private final Path device;

    /** @param device {@code /dev/vhost-vsock} */
    AgentChannels(Path device) {
        this.device = device;
    }

    /**
     * @param vsock whether by vsock, else by virtio-serial
     * @param yamux whether with yamux
     * @param reason for the log and the diagnostics
     */
    record Choice(boolean vsock, boolean yamux, String reason) {
        private static Choice serial(boolean yamux, String reason) {
            return new Choice(false, yamux, reason);
        }

        /** Each call gives vsock another address. */
        AgentDevices devices() {
            return vsock ? AgentDevices.Vsock.random() : new AgentDevices.Serial(yamux);
        }
    }

    /**
     * @throws UnsupportedException if QEMU has no such channel
     * @throws HostSetupException if vsock was asked for and this host cannot
     */
    Choice choose(HypervisorConfig settings) {
        return switch (settings.agentChannel()) {
            case VIRTIO_SERIAL -> Choice.serial(false, "it was asked for");
            case VIRTIO_SERIAL_YAMUX -> Choice.serial(true, "it was asked for");
            case VSOCK -> {
                Optional<String> problem = problem();
                if (problem.isPresent()) {
                    throw new HostSetupException("agent channel VSOCK cannot be used: " + problem.get()
                            + "; or choose AUTO or VIRTIO_SERIAL");
                }
                yield new Choice(true, false, "it was asked for");
            }
            case HYBRID_VSOCK ->
                throw new UnsupportedException("agent channel HYBRID_VSOCK is not for QEMU: its vsock is"
                        + " that of the host's kernel and has no unix socket; choose VSOCK, or VIRTIO_SERIAL where the host"
                        + " has no " + device);
            case AUTO -> {
                if (settings.kernelParameters().contains(NO_VSOCK)) {
                    yield Choice.serial(false, "the kernel parameter " + NO_VSOCK + " forbids vsock");
                }
                yield problem()
                        .map(problem -> Choice.serial(false, problem))
                        .orElseGet(() -> new Choice(true, false, device + " can be used"));
            }
        };
    }

    /** Opens it, as permissions alone do not tell: containers have means to forbid a device to root. */
    Optional<String> problem() {
        try (FileChannel opened = FileChannel.open(device, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            return Optional.empty();
        } catch (NoSuchFileException e) {
            return Optional.of("there is no " + device + ": load the module (\"modprobe vhost_vsock\")");
        } catch (AccessDeniedException e) {
            return Optional.of("no permission to read and write " + device
                    + ": add your user to its group (\"usermod -aG kvm USER\") and log in again");
        } catch (IOException e) {
            return Optional.of("cannot open " + device + ": " + e.getMessage());
        }
    }
}
