// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The truth about a sandbox at one moment.
 *
 * @param id its id
 * @param state its state; never later than the facts: one whose virtual machine is dead is stopped here
 * @param detached whether it outlives the process that made it
 * @param owner the Java process that a scoped sandbox belongs to; empty if it is detached
 * @param hypervisor the hypervisor's process, if there is one
 * @param createdAt when it was created
 * @param stopReason why it is stopped, if it is and that is known
 * @param guestAnswers whether the guest's agent answered when it was asked last. Asking never takes long, so a guest that
 *     is hung or very slow shows as false; the state is then what was known before, and what the host's facts say
 * @param annotations what the caller attached to it
 * @param containers its containers, in the order of their creation
 * @param devices the ids of the devices that were added
 */
public record SandboxStatus(
        String id,
        State state,
        boolean detached,
        Optional<HostProcess> owner,
        Optional<HostProcess> hypervisor,
        Instant createdAt,
        Optional<String> stopReason,
        boolean guestAnswers,
        Map<String, String> annotations,
        List<ContainerStatus> containers,
        List<String> devices) {
    public SandboxStatus {
        annotations = Map.copyOf(annotations);
        containers = List.copyOf(containers);
        devices = List.copyOf(devices);
    }
}
