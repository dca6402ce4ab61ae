// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.virtcontainers.AgentChannel;
import io.virtcontainers.HostCheck;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.MachineKey;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * QEMU. Two daemon threads serve all its machines: an event loop for their QMP connections and consoles, and one that
 * starts and watches processes (see {@link ProcessLauncher}). Both begin with the first use.
 */
final class QemuHypervisor implements Hypervisor {
    private static final Logger log = LoggerFactory.getLogger(QemuHypervisor.class);
    private static final long CLOSE_SECONDS = 5;

    /** With 4 thousand million addresses, a second attempt is rare and a third means that something else is wrong. */
    private static final int CID_ATTEMPTS = 5;

    private static final Duration COPY_STOP = Duration.ofSeconds(5);
    private static final String CID_TAKEN = "unable to set guest cid: Address already in use";

    // The first: it loads native code in another thread meanwhile.
    private final ProcessLauncher launcher = new ProcessLauncher();
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(
            1, new DefaultThreadFactory("virtcontainers-qemu", true), NioIoHandler.newFactory());
    private final QemuInstallations installations;
    private final Accelerators accelerators;
    private final AgentChannels channels;
    private final QemuLaunch launch;
    private final QemuAttachment attachment;
    private final OrphanReaper reaper;

    QemuHypervisor(Path cacheDirectory) {
        this(cacheDirectory, Path.of("/dev/vhost-vsock"));
    }

    QemuHypervisor(Path cacheDirectory, Path vhostVsock) {
        EventLoop loop = loops.next();
        HostFacts facts = new HostFacts(cacheDirectory);
        this.installations = new QemuInstallations(launcher, facts);
        this.accelerators = new Accelerators(Path.of("/dev/kvm"), new AcceleratorProbe(launcher), facts);
        this.channels = new AgentChannels(vhostVsock);
        this.launch = new QemuLaunch(launcher, loop);
        this.attachment = new QemuAttachment(launcher, loop);
        this.reaper = new OrphanReaper(launcher);
    }

    @Override
    public VirtualMachine launch(VmConfig config, Phases phases, Deadline deadline) {
        requireOpen("launch sandbox " + config.sandboxId());
        UnsupportedSettings.refuse(config);
        MachineRules.check(config);
        MachineModel model = MachineModel.of(config.settings().machine().type());
        SandboxFiles files = new SandboxFiles(config.directory());
        files.requireShortSocketPaths();
        AgentChannels.Choice channel = channel(config);
        QemuInstallation qemu = installations.find(config.settings().binary(), model, deadline);
        boolean kvm = accelerators.useKvm(config.settings().accelerator(), model, qemu, phases, deadline);
        Phases.Phase phase = phases.begin("qemu.launch");
        try {
            QemuMachine machine = start(qemu, kvm, config, channel, deadline);
            log.info(
                    "qemu launched sandbox={} pid={} detached={} accelerator={} version={} agentChannel={}",
                    config.sandboxId(),
                    machine.process().pid(),
                    config.detached(),
                    kvm ? "kvm" : "tcg",
                    qemu.version(),
                    machine.agent());
            return machine;
        } finally {
            phase.close();
        }
    }

    private AgentChannels.Choice channel(VmConfig config) {
        if (config.memoryImage() instanceof MemoryImage.None) {
            return channels.choose(config.settings());
        }
        TemplateRules.requireSavable(config);
        AgentChannels.Choice channel = config.settings().agentChannel() == AgentChannel.AUTO
                ? new AgentChannels.Choice(false, false, "the machine is of a template")
                : channels.choose(config.settings());
        TemplateRules.requireSavable(channel);
        return channel;
    }

    @Override
    public MachineKey templateKey(VmConfig config, Phases phases, Deadline deadline) {
        requireOpen("look for a template");
        TemplateRules.requireSavable(config);
        VmConfig anonymous = TemplateRules.anonymous(config);
        UnsupportedSettings.refuse(anonymous);
        MachineRules.check(anonymous);
        MachineModel model = MachineModel.of(config.settings().machine().type());
        QemuInstallation qemu = installations.find(config.settings().binary(), model, deadline);
        boolean kvm = accelerators.useKvm(config.settings().accelerator(), model, qemu, phases, deadline);
        AgentDevices devices = channel(anonymous).devices();
        return TemplateRules.key(
                qemu,
                config,
                QemuCommandLine.of(qemu, kvm, anonymous, devices),
                QemuCommandLine.of(qemu, kvm, TemplateRules.smallest(anonymous), devices));
    }

    @Override
    public void copy(VirtualMachine source, VmConfig as, Path state, Phases phases, Deadline deadline) {
        QemuMachine from = (QemuMachine) source;
        VirtualMachine copy = launch(as, phases, deadline);
        try {
            from.copyTo((QemuMachine) copy, deadline);
            copy.save(state, deadline);
        } finally {
            copy.stop(Deadline.after(COPY_STOP));
        }
    }

    /** With another vsock address if the first is taken; only the kernel knows them all, and tells when it is too late. */
    private QemuMachine start(
            QemuInstallation qemu, boolean kvm, VmConfig config, AgentChannels.Choice channel, Deadline deadline) {
        SandboxFiles files = new SandboxFiles(config.directory());
        Optional<RunAs> runAs = RunAs.of(config);
        for (int attempt = 1; ; attempt++) {
            AgentDevices devices = channel.devices();
            List<String> commandLine = new ArrayList<>(
                    QemuCommandLine.of(qemu, kvm, runAs.map(RunAs::config).orElse(config), devices));
            runAs.ifPresent(other -> commandLine.addAll(other.arguments()));
            AgentAccess agent =
                    new AgentAccess(devices.channels(files, config.detached()), devices + ", as " + channel.reason());
            try {
                return launch.start(config, List.copyOf(commandLine), runAs, agent, files, deadline);
            } catch (HypervisorException e) {
                if (!channel.vsock() || !e.diagnostics().hypervisorTail().contains(CID_TAKEN)) {
                    throw e;
                }
                log.debug("vsock address taken sandbox={} attempt={} {}", config.sandboxId(), attempt, devices);
                if (attempt == CID_ATTEMPTS) {
                    throw new HypervisorException(
                                    "no free vsock address: each of " + attempt + " at random is taken, the last was "
                                            + devices + "; choose the agent channel VIRTIO_SERIAL",
                                    e)
                            .withDiagnostics(e.diagnostics());
                }
            }
        }
    }

    @Override
    public VirtualMachine attach(
            String sandboxId, Path directory, HypervisorConfig settings, HostProcess process, Deadline deadline) {
        requireOpen("attach to sandbox " + sandboxId);
        return attachment.attach(sandboxId, new SandboxFiles(directory), settings, process);
    }

    @Override
    public void reap(Path sandboxDirectory, Deadline deadline) {
        requireOpen("end what runs for " + sandboxDirectory);
        reaper.reap(sandboxDirectory, deadline);
    }

    @Override
    public List<HostCheck> check(HypervisorConfig settings, Deadline deadline) {
        requireOpen("look at the host");
        return new QemuHostChecks(Path.of("/"), installations, accelerators, channels).of(settings, deadline);
    }

    private void requireOpen(String action) {
        if (loops.isShuttingDown()) {
            throw new HypervisorException("cannot " + action + ": the hypervisor is closed");
        }
    }

    @Override
    public void close() {
        launcher.close();
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(CLOSE_SECONDS, TimeUnit.SECONDS);
    }
}
