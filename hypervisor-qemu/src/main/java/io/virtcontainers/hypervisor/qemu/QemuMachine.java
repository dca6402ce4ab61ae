// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.virtcontainers.Device;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.MachineSize;
import io.virtcontainers.spi.NetworkCard;
import io.virtcontainers.spi.PluggedDisk;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmEvent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A running QEMU, launched by this process or attached to. Thread-safe. */
final class QemuMachine implements VirtualMachine {
    private static final Logger log = LoggerFactory.getLogger(QemuMachine.class);

    /** How long the last bytes of a dead QEMU may take to get here; they are in the sockets already. */
    private static final Duration LAST_BYTES = Duration.ofMillis(300);

    private final String sandboxId;
    private final HostProcess identity;
    private final ManagedProcess process;
    private final Optional<VirtioFsDaemon> daemon;

    /** Where files of the host are mounted for the guest; empty if it shares none. */
    private final Optional<ShareNamespace> shares;

    private final Link link;
    private final SandboxFiles files;
    private final HypervisorConfig settings;
    private final AgentAccess agent;
    private final boolean detached;
    private final EventLoop loop;
    private final PluggedDevices devices;
    private final PersistentMemory persistent;
    private final Set<String> plugged = ConcurrentHashMap.newKeySet();
    private final CompletableFuture<String> exit = new CompletableFuture<>();
    private volatile boolean stopRequested;
    private volatile @Nullable String sharesFailure;
    private volatile boolean released;

    /**
     * @param process watches the process {@code identity}
     * @param own namespace of QEMU, if it shares files itself
     */
    QemuMachine(
            String sandboxId,
            HostProcess identity,
            ManagedProcess process,
            Optional<VirtioFsDaemon> daemon,
            Optional<ShareNamespace> own,
            Link link,
            SandboxFiles files,
            HypervisorConfig settings,
            AgentAccess agent,
            boolean detached,
            EventLoop loop) {
        this.sandboxId = sandboxId;
        this.identity = identity;
        this.process = process;
        this.daemon = daemon;
        this.shares = daemon.map(VirtioFsDaemon::namespace).or(() -> own);
        this.link = link;
        this.files = files;
        this.settings = settings;
        this.agent = agent;
        this.detached = detached;
        this.loop = loop;
        this.devices = new PluggedDevices(link);
        this.persistent = new PersistentMemory(link);
        daemon.ifPresent(virtiofsd -> {
            var unusedFailure = virtiofsd.ending().thenAccept(this::sharesEnded);
        });
        var unused = process.exit().thenAccept(this::finishSoon);
    }

    /** It ends with QEMU, maybe some moments before it; if QEMU lives on then, it is the one that failed. */
    private void sharesEnded(String reason) {
        try {
            var unused = loop.schedule(() -> sharesFailed(reason), LAST_BYTES.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            log.debug("virtiofsd ended after the hypervisor was closed sandbox={}", sandboxId);
        }
    }

    /** The guest would hang at its next access to the host's files: so the machine ends. */
    private void sharesFailed(String reason) {
        if (process.isAlive() && !stopRequested) {
            sharesFailure = reason;
            process.kill();
        }
    }

    private void finishSoon(OptionalInt exitCode) {
        try {
            var unusedEnd = link.drained().thenRunAsync(() -> finish(exitCode), loop);
            var unusedTimer = loop.schedule(() -> finish(exitCode), LAST_BYTES.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            finish(exitCode);
        }
    }

    private void finish(OptionalInt exitCode) {
        if (exit.isDone()) {
            return;
        }
        String failure = sharesFailure;
        String reason = failure != null
                ? failure
                : ExitReason.of(exitCode, stopRequested, link.events(), link.console(), process.output());
        link.close();
        daemon.ifPresent(VirtioFsDaemon::end);
        if (exit.complete(reason)) {
            log.debug("qemu ended sandbox={} pid={} reason={}", sandboxId, identity.pid(), reason);
        }
    }

    /** These disks are there from the start. */
    void startedWith(List<PluggedDisk> disks) {
        disks.forEach(disk -> plugged.add(disk.disk().id()));
    }

    @Override
    public HostProcess process() {
        return identity;
    }

    AgentAccess agent() {
        return agent;
    }

    @Override
    public List<GuestChannel> channels() {
        return agent.channels();
    }

    @Override
    public String addDevice(Device device, Deadline deadline) {
        if (device instanceof Device.Shared shared) {
            return shares.orElseThrow(() -> new UnsupportedException("sandbox " + sandboxId + " shares no files: "
                            + "create it with HypervisorConfig.sharedFs VIRTIO_FS or VIRTIO_9P"))
                    .add(shared);
        }
        requireHotplug("takes no devices while it runs");
        if (device instanceof Device.Persistent memory) {
            return persistent.add(memory, deadline);
        }
        plugged.add(device.id());
        if (!(device instanceof Device.Block disk)) {
            return devices.add(PluggableDevices.plug(device, settings, agent), deadline);
        }
        if (settings.user().isEmpty()) {
            return devices.add(Disks.plug(disk, disk.image(), settings), deadline);
        }
        try (FileSender sender = FileSender.connect(files.filesSocket(), deadline)) {
            Path opened = sender.send(disk.image(), disk.readOnly());
            return devices.add(Disks.plug(disk, opened, settings), deadline);
        }
    }

    @Override
    public String addCard(NetworkCard card, Deadline deadline) {
        requireHotplug("takes no network cards while it runs");
        Plug plug = NetworkPlugs.plug(card, settings);
        if (!(card instanceof NetworkCard.Macvtap macvtap)) {
            return devices.add(plug, deadline);
        }
        if (!Files.exists(files.filesSocket())) {
            throw new UnsupportedException(
                    "a macvtap can be plugged only into a machine that has been started with one");
        }
        try (FileSender sender = FileSender.connect(files.filesSocket(), deadline)) {
            return devices.add(
                    plug,
                    (command, arguments) -> sender.execute(command, arguments, NetworkPlugs.files(macvtap)),
                    deadline);
        }
    }

    private void requireHotplug(String otherwise) {
        if (!MachineModel.of(settings.machine().type()).hasPci()) {
            throw new UnsupportedException(
                    "a machine " + settings.machine().type() + " " + otherwise + ": use Q35 or PC");
        }
    }

    @Override
    public void removeDevice(String id, Deadline deadline) {
        if (shares.isPresent() && shares.get().has(id)) {
            shares.get().remove(id);
            return;
        }
        devices.remove(id, deadline);
        plugged.remove(id);
    }

    @Override
    public List<PluggedDisk> disks(Collection<String> ids, Deadline deadline) {
        return devices.disks(ids, deadline);
    }

    /** Makes another machine, which waits for it, a copy of this one, which then runs on. */
    void copyTo(QemuMachine copy, Deadline deadline) {
        Path socket = copy.files.migrationSocket();
        Migration.listen(copy.link, socket, deadline);
        Migration.send(link, socket, deadline);
        Migration.awaitTaken(copy.link, deadline);
    }

    @Override
    public void save(Path state, Deadline deadline) {
        Migration.save(link, files.migrationSocket(), state, deadline);
    }

    @Override
    public MachineSize resize(int vcpus, MemorySize memory, Deadline deadline) {
        requireHotplug("cannot be resized");
        return link.call(
                deadline, qmp -> new Resizing(qmp, MemoryArguments.isShared(settings), deadline).resize(vcpus, memory));
    }

    @Override
    public boolean isResized(Deadline deadline) {
        return link.call(deadline, qmp -> new Resizing(qmp, MemoryArguments.isShared(settings), deadline).isResized());
    }

    @Override
    public MachineSize size(Deadline deadline) {
        return link.call(deadline, qmp -> new Resizing(qmp, MemoryArguments.isShared(settings), deadline).size());
    }

    @Override
    public List<Long> servants() {
        return daemon.map(VirtioFsDaemon::processes).orElse(List.of());
    }

    @Override
    public List<Long> processorThreads(Deadline deadline) {
        List<Long> threads = new ArrayList<>();
        link.call(deadline, qmp -> qmp.execute("query-cpus-fast", Map.of(), deadline))
                .forEach(processor -> threads.add(processor.path("thread-id").asLong()));
        return threads;
    }

    @Override
    public void pause(Deadline deadline) {
        var unused = link.call(deadline, qmp -> qmp.execute("stop", Map.of(), deadline));
    }

    @Override
    public void resume(Deadline deadline) {
        var unused = link.call(deadline, qmp -> qmp.execute("cont", Map.of(), deadline));
    }

    @Override
    public boolean isPaused(Deadline deadline) {
        return !link.call(deadline, qmp -> qmp.execute("query-status", Map.of(), deadline))
                .path("running")
                .asBoolean();
    }

    @Override
    public CompletableFuture<String> onExit() {
        return exit.copy();
    }

    @Override
    public void onEvent(Consumer<VmEvent> listener) {
        link.events()
                .listen(event -> listener.accept(
                        event instanceof VmEvent.DiskError error
                                ? new VmEvent.DiskError(diskOf(error.device()), error.write(), error.reason())
                                : event));
    }

    private String diskOf(String node) {
        return plugged.stream()
                .filter(id -> new DeviceNames(id).host().equals(node))
                .findFirst()
                .orElse(node);
    }

    @Override
    public Diagnostics diagnostics() {
        return new Diagnostics(
                "", link.console(), process.output(), agent.before(link.events().last()));
    }

    /** Asks over QMP, then sends SIGTERM, then SIGKILL; an interrupt leads to SIGKILL at once. */
    @Override
    public void stop(Deadline deadline) {
        if (process.isAlive()) {
            if (released) {
                throw new HypervisorException(
                        "cannot stop sandbox " + sandboxId + " by a machine that was released; attach to it again");
            }
            stopRequested = true;
            new QemuStop(sandboxId, identity, process, link).run(deadline);
        }
        awaitFinish();
    }

    /** The process is dead: lets its last words be read, which is a matter of milliseconds, before the sockets go. */
    private void awaitFinish() {
        try {
            String unused = exit.get(2 * LAST_BYTES.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (TimeoutException | ExecutionException e) {
            link.close();
        }
    }

    /** Ends a machine that is not detached, as nobody could reach it any more. */
    @Override
    public void release() {
        if (!process.isAlive() || released) {
            return;
        }
        if (!detached) {
            stop(Deadline.after(QemuStop.MIN_KILL));
            return;
        }
        released = true;
        link.close();
        process.close();
        daemon.ifPresent(VirtioFsDaemon::release);
        log.debug("qemu released sandbox={} pid={}", sandboxId, identity.pid());
    }
}
