// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import static java.util.Objects.requireNonNull;

import io.virtcontainers.HostProcess;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.State;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * What is known of a sandbox: the one document that is on disk. Immutable; each change makes another one.
 *
 * @param version of the format; a reader refuses a higher one
 * @param config what it was made of
 * @param owner the process that a scoped sandbox ends with; empty if it is detached
 * @param state as the last operation left it; the facts may have overtaken it
 * @param createdAt when it was created
 * @param vmm the hypervisor's process, from the moment that the machine is up
 * @param stopReason why it is stopped
 * @param containers in the order of their creation
 * @param devices the ids of the devices that were added
 * @param held the undo journal, in the order of acquisition
 * @param pending the operations that have begun and not ended
 */
public record SandboxRecord(
        int version,
        SandboxConfig config,
        Optional<HostProcess> owner,
        State state,
        Instant createdAt,
        Optional<HostProcess> vmm,
        Optional<String> stopReason,
        List<ContainerRecord> containers,
        List<String> devices,
        List<Held> held,
        List<Pending> pending) {
    public static final int VERSION = 1;

    public SandboxRecord {
        requireNonNull(config, "config");
        requireNonNull(owner, "owner");
        requireNonNull(state, "state");
        requireNonNull(createdAt, "createdAt");
        requireNonNull(vmm, "vmm");
        requireNonNull(stopReason, "stopReason");
        containers = List.copyOf(containers);
        devices = List.copyOf(devices);
        held = List.copyOf(held);
        pending = List.copyOf(pending);
    }

    public static SandboxRecord created(SandboxConfig config, Optional<HostProcess> owner, Instant now) {
        return new SandboxRecord(
                VERSION,
                config,
                owner,
                State.READY,
                now,
                Optional.empty(),
                Optional.empty(),
                List.of(),
                List.of(),
                List.of(),
                List.of());
    }

    public String id() {
        return config.id();
    }

    /** Whether its virtual machine should be there, as far as this document knows. */
    public boolean isUp() {
        return state == State.RUNNING || state == State.PAUSED;
    }

    public Optional<ContainerRecord> container(String id) {
        return containers.stream().filter(c -> c.id().equals(id)).findFirst();
    }

    public boolean isPending(Pending.Operation operation, String container) {
        return pending.contains(new Pending(operation, container));
    }

    public SandboxRecord config(SandboxConfig changed) {
        return edit(e -> e.config = changed);
    }

    /** Paused or running again. */
    public SandboxRecord state(State next) {
        if (state != next && !state.mayBecome(next)) {
            throw new IllegalStateException(state + " -> " + next);
        }
        return edit(e -> e.state = next);
    }

    public SandboxRecord running(HostProcess process) {
        return edit(e -> {
            e.state = State.RUNNING;
            e.vmm = Optional.of(process);
            e.stopReason = Optional.empty();
        });
    }

    /** Stopped: the machine is gone, and with it all that was in it; what the host still holds for it stays to be given back. */
    public SandboxRecord stopped(String reason) {
        return edit(e -> {
            e.state = State.STOPPED;
            e.vmm = Optional.empty();
            e.stopReason = Optional.of(reason);
            e.containers = containers.stream()
                    .map(c -> c.state() == State.STOPPED ? c : c.stopped(Optional.empty()))
                    .toList();
            e.devices = List.of();
            e.held = without(held, entry -> !entry.kind().outlivesTheMachine());
            e.pending = List.of();
        });
    }

    /** With this container, in the place of the one with its id or at the end. */
    public SandboxRecord container(ContainerRecord changed) {
        List<ContainerRecord> all = new ArrayList<>(containers);
        int at = all.indexOf(container(changed.id()).orElse(null));
        if (at < 0) {
            all.add(changed);
        } else {
            all.set(at, changed);
        }
        return edit(e -> e.containers = all);
    }

    public SandboxRecord withoutContainer(String id) {
        return edit(e -> e.containers = without(containers, c -> c.id().equals(id)));
    }

    public SandboxRecord device(String id) {
        return edit(e -> e.devices = plus(devices, id));
    }

    public SandboxRecord withoutDevice(String id) {
        return edit(e -> e.devices = without(devices, id::equals));
    }

    /** With this in the journal; written before the act. */
    public SandboxRecord holding(Held entry) {
        return edit(e -> e.held = plus(without(held, entry::equals), entry));
    }

    public SandboxRecord released(Held entry) {
        return edit(e -> e.held = without(held, entry::equals));
    }

    public SandboxRecord begin(Pending.Operation operation, String container) {
        Pending begun = new Pending(operation, container);
        return edit(e -> e.pending = plus(without(pending, begun::equals), begun));
    }

    public SandboxRecord begin(Pending.Operation operation) {
        return begin(operation, "");
    }

    public SandboxRecord end(Pending.Operation operation, String container) {
        Pending ended = new Pending(operation, container);
        return edit(e -> e.pending = without(pending, ended::equals));
    }

    /** A container's or device's operation has succeeded: what earlier ones had left undone is thereby settled, too. */
    public SandboxRecord endAll(String container) {
        return edit(e -> e.pending = without(pending, p -> p.container().equals(container)));
    }

    public SandboxRecord end(Pending.Operation operation) {
        return end(operation, "");
    }

    private SandboxRecord edit(Consumer<Edit> changes) {
        Edit edit = new Edit(this);
        changes.accept(edit);
        return edit.record(this);
    }

    /** The components that change in the life of a sandbox. */
    private static final class Edit {
        private SandboxConfig config;
        private State state;
        private Optional<HostProcess> vmm;
        private Optional<String> stopReason;
        private List<ContainerRecord> containers;
        private List<String> devices;
        private List<Held> held;
        private List<Pending> pending;

        private Edit(SandboxRecord from) {
            config = from.config;
            state = from.state;
            vmm = from.vmm;
            stopReason = from.stopReason;
            containers = from.containers;
            devices = from.devices;
            held = from.held;
            pending = from.pending;
        }

        private SandboxRecord record(SandboxRecord from) {
            return new SandboxRecord(
                    from.version,
                    config,
                    from.owner,
                    state,
                    from.createdAt,
                    vmm,
                    stopReason,
                    containers,
                    devices,
                    held,
                    pending);
        }
    }

    private static <T> List<T> plus(List<T> list, T element) {
        List<T> all = new ArrayList<>(list);
        all.add(element);
        return all;
    }

    private static <T> List<T> without(List<T> list, Predicate<T> out) {
        return list.stream().filter(out.negate()).toList();
    }
}
