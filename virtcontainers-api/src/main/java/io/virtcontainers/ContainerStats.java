// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * What a container uses, as its guest's cgroups count it. The guest could lie: for bills use {@link SandboxStats}, which
 * is what the host sees.
 *
 * @param cpu the processors' time
 * @param memory the memory
 * @param pids the number of its processes and threads, and its limit (-1 for none)
 * @param blkio the block devices' traffic, one entry per device and direction
 * @param hugetlb the huge pages by page size, for example {@code 2MB}
 * @param networks the network interfaces of the sandbox
 */
public record ContainerStats(
        Cpu cpu, Memory memory, Pids pids, List<Blkio> blkio, Map<String, Hugetlb> hugetlb, List<Network> networks) {
    public ContainerStats {
        blkio = List.copyOf(blkio);
        hugetlb = Map.copyOf(hugetlb);
        networks = List.copyOf(networks);
    }

    /**
     * @param usage all time used
     * @param user the part of it in user mode
     * @param kernel the part of it in the kernel
     * @param periods how many periods with a quota there were
     * @param throttledPeriods in how many of them the quota was used up
     * @param throttled how long it was held back by its quota
     */
    public record Cpu(
            Duration usage, Duration user, Duration kernel, long periods, long throttledPeriods, Duration throttled) {}

    /**
     * @param usage memory in use, in bytes, page cache included
     * @param maxUsage the most that was in use; 0 if the guest's kernel does not record it
     * @param limit the limit, {@link Long#MAX_VALUE} for none
     * @param failures how often the limit was hit
     * @param cache the part of the usage that is page cache
     * @param swap swap in use
     * @param kernel the kernel's memory for it
     * @param details the counters of the guest's {@code memory.stat}
     */
    public record Memory(
            long usage,
            long maxUsage,
            long limit,
            long failures,
            long cache,
            long swap,
            long kernel,
            Map<String, Long> details) {
        public Memory {
            details = Map.copyOf(details);
        }
    }

    public record Pids(long current, long limit) {}

    /**
     * @param operation {@code Read} or {@code Write}
     * @param bytes the bytes moved
     * @param requests the number of requests
     */
    public record Blkio(long major, long minor, String operation, long bytes, long requests) {}

    public record Hugetlb(long usage, long maxUsage, long failures) {}

    public record Network(
            String name,
            long rxBytes,
            long rxPackets,
            long rxErrors,
            long rxDropped,
            long txBytes,
            long txPackets,
            long txErrors,
            long txDropped) {}
}
