// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * The truth about a container at one moment.
 *
 * @param id its id
 * @param state its state; never later than the facts: a container whose shim or virtual machine is dead is stopped here
 * @param shim the host's process that stands for it, if one was set
 * @param createdAt when it was created
 * @param startedAt when it was started last
 * @param exit how its init process ended, if it has and that is known
 * @param rootfs its root file system
 * @param annotations what the caller attached to it
 */
public record ContainerStatus(
        String id,
        State state,
        Optional<HostProcess> shim,
        Instant createdAt,
        Optional<Instant> startedAt,
        Optional<ExitStatus> exit,
        RootFs rootfs,
        Map<String, String> annotations) {
    public ContainerStatus {
        annotations = Map.copyOf(annotations);
    }
}
