// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.HostProcess;
import io.virtcontainers.State;
import java.time.Instant;
import java.util.Optional;

/** What is known of a container; see {@link io.virtcontainers.ContainerStatus}. */
public record ContainerRecord(
        ContainerConfig config,
        State state,
        Instant createdAt,
        Optional<Instant> startedAt,
        Optional<HostProcess> shim,
        Optional<ExitStatus> exit) {

    public static ContainerRecord created(ContainerConfig config, Instant now) {
        return new ContainerRecord(config, State.READY, now, Optional.empty(), Optional.empty(), Optional.empty());
    }

    public String id() {
        return config.id();
    }

    public ContainerRecord state(State next) {
        return new ContainerRecord(config, next, createdAt, startedAt, shim, exit);
    }

    public ContainerRecord started(Instant now) {
        return new ContainerRecord(config, State.RUNNING, createdAt, Optional.of(now), shim, Optional.empty());
    }

    /** Stopped; a stopped container has no shim. */
    public ContainerRecord stopped(Optional<ExitStatus> ended) {
        return new ContainerRecord(
                config, State.STOPPED, createdAt, startedAt, Optional.empty(), ended.isPresent() ? ended : exit);
    }

    public ContainerRecord shim(HostProcess process) {
        return new ContainerRecord(config, state, createdAt, startedAt, Optional.of(process), exit);
    }

    public ContainerRecord config(ContainerConfig changed) {
        return new ContainerRecord(changed, state, createdAt, startedAt, shim, exit);
    }
}
