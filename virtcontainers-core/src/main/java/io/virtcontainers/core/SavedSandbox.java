// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.CancelledException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.Snapshot;
import io.virtcontainers.SnapshotConfig;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.Directories;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.core.state.SandboxLocks;
import io.virtcontainers.core.state.SandboxRecord;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.PluggedDisk;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;

/** A snapshot: the files of a machine, and what the sandbox in it was. */
final class SavedSandbox implements Snapshot {
    private final Path directory;
    private final SandboxLocks.Lock ownership;
    private final Consumer<SavedSandbox> onClose;
    private final Content content;
    private final SavedFiles files;
    private boolean closed;

    /**
     * What the sandbox was.
     *
     * @param machine the machine, with the disks that are plugged in
     * @param frozen the containers whose processes are held until a clone is itself
     */
    record Content(
            SandboxRecord record, VmConfig machine, List<String> frozen, SnapshotConfig config, Instant createdAt) {
        Content {
            frozen = List.copyOf(frozen);
        }
    }

    /**
     * @param directory its own, with the files in it
     * @param ownership the lock that says that it is in use
     */
    SavedSandbox(Path directory, SandboxLocks.Lock ownership, Content content, Consumer<SavedSandbox> onClose) {
        this.directory = directory;
        this.ownership = ownership;
        this.content = content;
        this.onClose = onClose;
        this.files = new SavedFiles(directory);
    }

    @Override
    public String id() {
        return String.valueOf(directory.getFileName());
    }

    @Override
    public SandboxConfig config() {
        return content.record().config();
    }

    @Override
    public List<String> containers() {
        return content.record().containers().stream().map(ContainerRecord::id).toList();
    }

    @Override
    public Instant createdAt() {
        return content.createdAt();
    }

    @Override
    public MemorySize size() {
        return MemorySize.ofBytes(files.bytes());
    }

    GuestImage image() {
        return content.machine().image();
    }

    List<String> frozen() {
        return content.frozen();
    }

    /** @throws VirtException if the hook fails */
    void afterRestore(Sandbox clone) {
        run("afterRestore of snapshot " + id(), content.config().afterRestore(), clone);
    }

    /** @throws VirtException if the hook fails */
    static void run(String what, SnapshotConfig.Hook hook, Sandbox sandbox) {
        try {
            hook.run(sandbox);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted in the hook " + what + ", with sandbox " + sandbox.id());
        } catch (Exception e) {
            throw new VirtException("the hook " + what + " failed with sandbox " + sandbox.id() + ": " + e, e);
        }
    }

    /** The configuration of a clone. */
    SandboxConfig configOf(String id) {
        SandboxConfig source = config();
        return new SandboxConfig(
                id,
                SandboxConfig.builder(id).build().hostname(),
                source.vcpus(),
                source.memory(),
                source.hypervisor(),
                source.network(),
                source.cgroup(),
                source.template(),
                source.detached(),
                source.annotations(),
                source.bootDeadline());
    }

    /** The record of a clone that runs: its containers are others than those of the source. */
    SandboxRecord restoredIn(SandboxRecord clone) {
        SandboxRecord next = clone;
        for (ContainerRecord container : content.record().containers()) {
            next = next.container(container.restored(UUID.randomUUID().toString()));
        }
        for (String device : content.record().devices()) {
            next = next.device(device);
        }
        for (Held entry : content.record().held()) {
            next = entry.kind().outlivesTheMachine() ? next : next.holding(entry);
        }
        return next;
    }

    /**
     * The machine of a clone.
     *
     * @throws HypervisorException if it cannot go on from here
     */
    VmConfig machineOf(VmConfig described, Hypervisor hypervisor, Phases phases) {
        requireOpen();
        VmConfig machine = described.withDisks(content.machine().disks());
        Optional<String> problem =
                files.problem(hypervisor.templateKey(machine, phases, Deadline.after(config().bootDeadline())));
        if (problem.isPresent()) {
            throw new HypervisorException("snapshot " + id() + " of sandbox " + config().id()
                    + " cannot be used any more: " + problem.get() + "; make another one");
        }
        return machine.withMemoryImage(files.image());
    }

    synchronized void requireOpen() {
        if (closed) {
            throw new InvalidConfigException("snapshot", id(), "is closed: make another one");
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        onClose.accept(this);
        try (ownership) {
            Directories.delete(directory);
        } catch (IOException e) {
            throw new VirtException(
                    "cannot remove the snapshot in " + directory + ": " + e + "; the next open() tries again", e);
        }
    }

    /** The ids of what is plugged in. */
    static List<String> devices(SandboxRecord record) {
        List<String> ids = new ArrayList<>();
        for (Held entry : record.held()) {
            if (entry.kind() == Held.Kind.DEVICE) {
                ids.add(entry.id());
            }
        }
        return ids;
    }

    static boolean hasAll(List<PluggedDisk> disks, List<String> ids) {
        return disks.stream().map(disk -> disk.disk().id()).toList().containsAll(ids);
    }
}
