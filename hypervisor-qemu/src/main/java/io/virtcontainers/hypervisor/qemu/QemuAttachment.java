// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.VmDiedException;
import java.nio.file.Files;
import java.util.List;
import java.util.Optional;

/** Attaches to a detached QEMU that runs already. */
final class QemuAttachment {
    private final ProcessLauncher launcher;
    private final EventLoop loop;

    QemuAttachment(ProcessLauncher launcher, EventLoop loop) {
        this.launcher = launcher;
        this.loop = loop;
    }

    /** @throws VmDiedException if the process is dead, or is not the QEMU of this directory */
    QemuMachine attach(String sandboxId, SandboxFiles files, HypervisorConfig settings, HostProcess identity) {
        ManagedProcess process = launcher.watch(identity.pid()).orElseThrow(() -> died(sandboxId, identity));
        try {
            // After the watch has begun: what is asked now is about the process that is watched.
            List<String> commandLine = QemuProcesses.commandLine(identity.pid());
            if (!identity.isAlive() || !QemuProcesses.belongsTo(identity.pid(), files)) {
                throw died(sandboxId, identity);
            }
            if (!Files.exists(files.controlSocket())) {
                throw new HypervisorException("cannot attach to sandbox " + sandboxId + ": there is no "
                        + files.controlSocket() + ", so it was not launched as detached");
            }
            ControlSocket control = new ControlSocket(files.controlSocket(), loop);
            AgentDevices devices = AgentDevices.of(commandLine);
            AgentAccess agent = new AgentAccess(devices.channels(files, true), devices + ", as it was launched");
            return new QemuMachine(
                    sandboxId,
                    identity,
                    process,
                    VirtioFsDaemon.find(files),
                    ShareArguments.is9p(settings)
                            ? Optional.of(ShareNamespace.ofQemu(files, identity.pid()))
                            : Optional.empty(),
                    control,
                    files,
                    settings,
                    agent,
                    true,
                    loop);
        } catch (RuntimeException e) {
            process.close();
            throw e;
        }
    }

    private static VmDiedException died(String sandboxId, HostProcess identity) {
        return new VmDiedException("the QEMU of sandbox " + sandboxId + " (" + identity + ") has ended");
    }
}
