// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.time.Duration;
import java.util.Map;

/**
 * What a sandbox costs the host, as the host's kernel counts it for the hypervisor's process.
 *
 * @param cpu the processors' time of the hypervisor, guest included ({@code /proc/pid/stat}, utime and stime)
 * @param memoryPss its memory, where pages shared with n processes count 1/n ({@code /proc/pid/smaps_rollup}, Pss)
 * @param memoryRss its memory, with all that it shares (Rss)
 * @param vcpus the virtual processors
 * @param containers what the guest says of its running containers, by id
 */
public record SandboxStats(
        Duration cpu, MemorySize memoryPss, MemorySize memoryRss, int vcpus, Map<String, ContainerStats> containers) {
    public SandboxStats {
        containers = Map.copyOf(containers);
    }
}
