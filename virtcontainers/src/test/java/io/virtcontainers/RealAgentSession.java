// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import io.virtcontainers.testkit.AgentSession;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/** A real machine with the guest's agent, without the engine. */
final class RealAgentSession implements AgentSession {
    final Path vmDirectory;
    final AgentConnector agents = RealBackends.agents();
    final VirtualMachine machine;
    private final Path rootfs;
    private final Hypervisor hypervisor = RealBackends.hypervisor();

    /** @param rootfs the image that {@link #plugRootfs} plugs in */
    RealAgentSession(VmConfig config, Path rootfs) {
        this.vmDirectory = config.directory();
        this.rootfs = rootfs;
        this.machine = hypervisor.launch(config, RealBackends.NO_PHASES, soon());
    }

    RealAgentSession(Path vmDirectory, Path rootfs) {
        this(RealBackends.machine(vmDirectory, /* detached= */ true), rootfs);
    }

    static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(60));
    }

    @Override
    public Agent connect(int channel) {
        Agent agent = agents.connect(
                machine.channels().get(Math.min(channel, machine.channels().size() - 1)));
        // As the engine does it: nobody waits for the agent of a machine that has died.
        var unused = machine.onExit().thenAccept(how -> agent.abort(new VmDiedException(how + machine.diagnostics())));
        return agent;
    }

    @Override
    public String plugRootfs(String diskId) {
        return machine.addDevice(new Device.Block(diskId, rootfs, true), soon());
    }

    @Override
    public void unplugRootfs(String diskId) {
        machine.removeDevice(diskId, soon());
    }

    /** The last lines of the guest's console. */
    String console() {
        return machine.diagnostics().consoleTail();
    }

    @Override
    public void close() {
        machine.stop(soon());
        agents.close();
        hypervisor.close();
        try (var files = Files.walk(vmDirectory).sorted(java.util.Comparator.reverseOrder())) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
