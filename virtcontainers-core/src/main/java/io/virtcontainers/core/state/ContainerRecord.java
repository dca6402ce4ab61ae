// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import static java.util.Objects.requireNonNull;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.HostProcess;
import io.virtcontainers.State;
import java.time.Instant;
import java.util.Optional;

/**
 * What is known of a container; see {@link io.virtcontainers.ContainerStatus}.
 *
 * @param incarnation another one for each container in the guest: what a process of the host knows of an earlier one, which
 *     another process ended, says nothing of this one
 */
public record ContainerRecord(
        ContainerConfig config,
        String incarnation,
        State state,
        Instant createdAt,
        Optional<Instant> startedAt,
        Optional<HostProcess> shim,
        Optional<ExitStatus> exit) {
    public ContainerRecord {
        requireNonNull(config, "config");
        requireNonNull(incarnation, "incarnation");
        requireNonNull(state, "state");
        requireNonNull(createdAt, "createdAt");
        requireNonNull(startedAt, "startedAt");
        requireNonNull(shim, "shim");
        requireNonNull(exit, "exit");
    }

    public static ContainerRecord created(ContainerConfig config, String incarnation, Instant now) {
        return new ContainerRecord(
                config, incarnation, State.READY, now, Optional.empty(), Optional.empty(), Optional.empty());
    }

    public String id() {
        return config.id();
    }

    /** Paused or running again. */
    public ContainerRecord state(State next) {
        if (!state.mayBecome(next)) {
            throw new IllegalStateException(state + " -> " + next);
        }
        return new ContainerRecord(config, incarnation, next, createdAt, startedAt, shim, exit);
    }

    public ContainerRecord started(String newIncarnation, Instant now) {
        return new ContainerRecord(
                config, newIncarnation, State.RUNNING, createdAt, Optional.of(now), shim, Optional.empty());
    }

    /** Stopped; a stopped container has no shim. */
    public ContainerRecord stopped(Optional<ExitStatus> ended) {
        return new ContainerRecord(
                config,
                incarnation,
                State.STOPPED,
                createdAt,
                startedAt,
                Optional.empty(),
                ended.isPresent() ? ended : exit);
    }

    /** The same in a clone of its sandbox: nobody on the host stands for it. */
    public ContainerRecord restored(String newIncarnation) {
        return new ContainerRecord(config, newIncarnation, state, createdAt, startedAt, Optional.empty(), exit);
    }

    public ContainerRecord shim(HostProcess process) {
        return new ContainerRecord(config, incarnation, state, createdAt, startedAt, Optional.of(process), exit);
    }

    public ContainerRecord config(ContainerConfig changed) {
        return new ContainerRecord(changed, incarnation, state, createdAt, startedAt, shim, exit);
    }
}
