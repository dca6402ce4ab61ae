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
        return with(changed, state, vmm, stopReason, containers, devices, held, pending);
    }

    /** Paused or running again. */
    public SandboxRecord state(State next) {
        if (state != next && !state.mayBecome(next)) {
            throw new IllegalStateException(state + " -> " + next);
        }
        return with(config, next, vmm, stopReason, containers, devices, held, pending);
    }

    public SandboxRecord running(HostProcess process) {
        return with(config, State.RUNNING, Optional.of(process), Optional.empty(), containers, devices, held, pending);
    }

    /** Stopped: the machine is gone, and with it all that was in it. */
    public SandboxRecord stopped(String reason) {
        return with(
                config,
                State.STOPPED,
                Optional.empty(),
                Optional.of(reason),
                containers.stream()
                        .map(c -> c.state() == State.STOPPED ? c : c.stopped(Optional.empty()))
                        .toList(),
                List.of(),
                List.of(),
                List.of());
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
        return with(config, state, vmm, stopReason, all, devices, held, pending);
    }

    public SandboxRecord withoutContainer(String id) {
        return with(
                config, state, vmm, stopReason, without(containers, c -> c.id().equals(id)), devices, held, pending);
    }

    public SandboxRecord device(String id) {
        return with(config, state, vmm, stopReason, containers, plus(devices, id), held, pending);
    }

    public SandboxRecord withoutDevice(String id) {
        return with(config, state, vmm, stopReason, containers, without(devices, id::equals), held, pending);
    }

    /** With this in the journal; written before the act. */
    public SandboxRecord holding(Held entry) {
        return with(
                config,
                state,
                vmm,
                stopReason,
                containers,
                devices,
                plus(without(held, entry::equals), entry),
                pending);
    }

    public SandboxRecord released(Held entry) {
        return with(config, state, vmm, stopReason, containers, devices, without(held, entry::equals), pending);
    }

    public SandboxRecord begin(Pending.Operation operation, String container) {
        Pending begun = new Pending(operation, container);
        return with(
                config,
                state,
                vmm,
                stopReason,
                containers,
                devices,
                held,
                plus(without(pending, begun::equals), begun));
    }

    public SandboxRecord begin(Pending.Operation operation) {
        return begin(operation, "");
    }

    public SandboxRecord end(Pending.Operation operation, String container) {
        Pending ended = new Pending(operation, container);
        return with(config, state, vmm, stopReason, containers, devices, held, without(pending, ended::equals));
    }

    /** A container's or device's operation has succeeded: what earlier ones had left undone is thereby settled, too. */
    public SandboxRecord endAll(String container) {
        return with(
                config,
                state,
                vmm,
                stopReason,
                containers,
                devices,
                held,
                without(pending, p -> p.container().equals(container)));
    }

    public SandboxRecord end(Pending.Operation operation) {
        return end(operation, "");
    }

    private SandboxRecord with(
            SandboxConfig newConfig,
            State newState,
            Optional<HostProcess> newVmm,
            Optional<String> newStopReason,
            List<ContainerRecord> newContainers,
            List<String> newDevices,
            List<Held> newHeld,
            List<Pending> newPending) {
        return new SandboxRecord(
                version,
                newConfig,
                owner,
                newState,
                createdAt,
                newVmm,
                newStopReason,
                newContainers,
                newDevices,
                newHeld,
                newPending);
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
