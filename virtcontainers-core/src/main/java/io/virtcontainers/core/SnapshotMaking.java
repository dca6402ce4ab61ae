// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.AgentConnectionLostException;
import io.virtcontainers.AgentException;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.SandboxBusyException;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SnapshotConfig;
import io.virtcontainers.State;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.Pending;
import io.virtcontainers.core.state.SandboxRecord;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.MachineKey;
import io.virtcontainers.spi.PluggedDisk;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The making of a snapshot of one sandbox; needs its lock. The processes of its containers are frozen first, and thawed in
 * each clone when it has randomness, time and name of its own: so none runs a moment with those of another. Both the freezing
 * and the halt of the machine are in the journal, so that a sandbox that outlives this process is set right by the next one.
 */
final class SnapshotMaking {
    private static final Logger log = LoggerFactory.getLogger(SnapshotMaking.class);
    private static final Duration LONGEST = Duration.ofMinutes(2);
    private static final Path NOWHERE = Path.of("/nowhere");

    private final SandboxLife sandbox;
    private final GuestImage image;

    /** @param image what it was booted from */
    SnapshotMaking(SandboxLife sandbox, GuestImage image) {
        this.sandbox = sandbox;
        this.image = image;
    }

    /** What is to be saved. */
    record Plan(VmConfig machine, MachineKey key) {}

    /** @throws UnsupportedException with what hinders it; nothing has been done then */
    Plan plan(Deadline deadline) {
        SandboxRecord record = sandbox.record();
        SandboxConfig config = record.config();
        refuse(
                !config.network().equals(NetworkConfig.none()),
                "it has a network, and its clones would have the same addresses: create it with NetworkConfig.none()");
        refuse(
                config.cgroup().isPresent(),
                "it is in a control group of the host, which its clones cannot have too: create it without");
        if (!record.pending().isEmpty()) {
            throw new SandboxBusyException(
                    "cannot save sandbox " + sandbox.id() + ": its guest has not finished " + record.pending(),
                    OptionalLong.empty());
        }
        VirtualMachine machine = sandbox.machine();
        for (GuestChannel channel : machine.channels()) {
            refuse(
                    !(channel instanceof GuestChannel.VirtioSerial),
                    "its agent is reached by " + channel + ", whose address is a part of the machine: create it with"
                            + " AgentChannel.VIRTIO_SERIAL");
        }
        List<String> devices = SavedSandbox.devices(record);
        List<PluggedDisk> disks = machine.disks(devices, deadline);
        refuse(
                !SavedSandbox.hasAll(disks, devices),
                "it has devices that are no disks, such as live files of the host or network cards: " + devices
                        + ": use Mount.Bind, or remove them");
        VmConfig described = sandbox.backends().machine(config, NOWHERE, image).withDisks(disks);
        MachineKey key = sandbox.backends().hypervisor().templateKey(described, sandbox.phases(), deadline);
        refuse(
                machine.isResized(deadline),
                "it has grown since it was started: create it with what it needs, or if it is of a smaller template,"
                        + " with template(false)");
        // Whether the agent can: this one stays what it is.
        sandbox.agent(deadline).renewSandbox(sandbox.id(), config.hostname(), Instant.now(), List.of(), deadline);
        return new Plan(described, key);
    }

    private void refuse(boolean hindered, String why) {
        if (hindered) {
            throw new UnsupportedException("cannot save sandbox " + sandbox.id() + ": " + why);
        }
    }

    SavedSandbox save(Snapshots snapshots, SnapshotConfig config) {
        Deadline deadline = Deadline.after(LONGEST);
        Plan plan = plan(deadline);
        SandboxRecord record = sandbox.record();
        List<String> frozen = new ArrayList<>();
        try {
            for (ContainerRecord container : record.containers()) {
                if (container.state() == State.RUNNING && freeze(container.id(), deadline)) {
                    frozen.add(container.id());
                }
            }
            sandbox.save(sandbox.record().begin(Pending.Operation.PAUSE_SANDBOX), "snapshot");
            try {
                SavedSandbox.Content content =
                        new SavedSandbox.Content(record, plan.machine(), frozen, config, Instant.now());
                return snapshots.make(sandbox.machine(), content, plan.key(), sandbox.phases(), deadline);
            } finally {
                settle();
            }
        } finally {
            frozen.forEach(this::thaw);
        }
    }

    /** The machine runs on, if it is as it should be; else the record says how it is. */
    private void settle() {
        Interrupts.heldBack(() -> sandbox.quietly("learn whether the machine runs", () -> {
            boolean halted = sandbox.machine().isPaused(Deadline.after(SandboxLife.REQUEST));
            sandbox.note(
                    sandbox.record()
                            .state(halted ? State.PAUSED : State.RUNNING)
                            .end(Pending.Operation.PAUSE_SANDBOX),
                    "snapshot");
        }));
    }

    /** @return whether it is frozen; not if it has ended meanwhile */
    private boolean freeze(String id, Deadline deadline) {
        sandbox.save(sandbox.record().begin(Pending.Operation.PAUSE_CONTAINER, id), "snapshot");
        try {
            sandbox.agent(deadline).pauseContainer(id, deadline);
            return true;
        } catch (AgentConnectionLostException e) {
            throw e;
        } catch (AgentException ended) {
            log.debug("not frozen for a snapshot: container={} answer={}", id, ended.getMessage());
            sandbox.note(sandbox.record().end(Pending.Operation.PAUSE_CONTAINER, id), "snapshot");
            return false;
        }
    }

    /** What fails stays in the journal, for the next operation. */
    private void thaw(String id) {
        Interrupts.heldBack(() -> sandbox.quietly("let container " + id + " run on", () -> {
            Deadline deadline = Deadline.after(SandboxLife.REQUEST);
            sandbox.agent(deadline).resumeContainer(id, deadline);
            sandbox.note(sandbox.record().end(Pending.Operation.PAUSE_CONTAINER, id), "snapshot");
        }));
    }
}
