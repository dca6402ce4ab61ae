// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.google.common.math.LongMath;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.ContainerStats.Blkio;
import io.virtcontainers.ContainerStats.Cpu;
import io.virtcontainers.ContainerStats.Hugetlb;
import io.virtcontainers.ContainerStats.Memory;
import io.virtcontainers.ContainerStats.Network;
import io.virtcontainers.ContainerStats.Pids;
import io.virtcontainers.agent.kata.protocol.BlkioStats;
import io.virtcontainers.agent.kata.protocol.BlkioStatsEntry;
import io.virtcontainers.agent.kata.protocol.CgroupStats;
import io.virtcontainers.agent.kata.protocol.CpuStats;
import io.virtcontainers.agent.kata.protocol.HugetlbStats;
import io.virtcontainers.agent.kata.protocol.MemoryStats;
import io.virtcontainers.agent.kata.protocol.NetworkStats;
import io.virtcontainers.agent.kata.protocol.PidsStats;
import io.virtcontainers.agent.kata.protocol.StatsContainerResponse;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads the answer to StatsContainer, which has the shape of version 1 cgroups. What is absent is 0. Pure functions. */
final class StatsMessages {
    // "None" of version 1: LONG_MAX, rounded down to whole pages of up to 64 KiB.
    private static final long UNLIMITED_MEMORY = Long.MAX_VALUE - 0xffff;
    private static final int MOST_ENTRIES = 10_000;
    private static final int LONGEST_NAME = 255;

    private StatsMessages() {}

    /** @throws io.virtcontainers.AgentException if the guest sends more or longer names than there can be */
    static ContainerStats read(StatsContainerResponse answer) {
        CgroupStats cgroup = answer.getCgroupStats();
        return new ContainerStats(
                cpu(cgroup.getCpuStats()),
                memory(cgroup.getMemoryStats()),
                pids(cgroup.getPidsStats()),
                blkio(cgroup.getBlkioStats()),
                hugetlb(cgroup.getHugetlbStatsMap()),
                GuestData.atMost(MOST_ENTRIES, answer.getNetworkStatsList(), "network interfaces").stream()
                        .map(StatsMessages::network)
                        .toList());
    }

    private static Cpu cpu(CpuStats cpu) {
        return new Cpu(
                GuestData.nanoseconds(cpu.getCpuUsage().getTotalUsage()),
                GuestData.nanoseconds(cpu.getCpuUsage().getUsageInUsermode()),
                GuestData.nanoseconds(cpu.getCpuUsage().getUsageInKernelmode()),
                GuestData.count(cpu.getThrottlingData().getPeriods()),
                GuestData.count(cpu.getThrottlingData().getThrottledPeriods()),
                GuestData.nanoseconds(cpu.getThrottlingData().getThrottledTime()));
    }

    private static Memory memory(MemoryStats memory) {
        long usage = GuestData.count(memory.getUsage().getUsage());
        long usageAndSwap = GuestData.count(memory.getSwapUsage().getUsage()); // that is what version 1 counts
        long limit = GuestData.count(memory.getUsage().getLimit());
        Map<String, Long> details = new HashMap<>();
        GuestData.atMost(MOST_ENTRIES, memory.getStatsMap().entrySet(), "memory counters")
                .forEach(entry -> details.put(name(entry.getKey()), GuestData.count(entry.getValue())));
        return new Memory(
                usage,
                GuestData.count(memory.getUsage().getMaxUsage()),
                limit >= UNLIMITED_MEMORY ? Long.MAX_VALUE : limit,
                GuestData.count(memory.getUsage().getFailcnt()),
                GuestData.count(memory.getCache()),
                Math.max(0, usageAndSwap - usage),
                GuestData.count(memory.getKernelUsage().getUsage()),
                details);
    }

    /** No limit is 0 in version 1, whose agents send that, and the largest number in other places of the message. */
    private static Pids pids(PidsStats pids) {
        return new Pids(GuestData.count(pids.getCurrent()), pids.getLimit() <= 0 ? -1 : pids.getLimit());
    }

    private static List<Blkio> blkio(BlkioStats blkio) {
        Map<Blkio, Blkio> found = new LinkedHashMap<>(); // by the entry without its numbers
        GuestData.atMost(MOST_ENTRIES, blkio.getIoServiceBytesRecursiveList(), "block devices")
                .forEach(entry -> add(found, entry, GuestData.count(entry.getValue()), 0));
        GuestData.atMost(MOST_ENTRIES, blkio.getIoServicedRecursiveList(), "block devices")
                .forEach(entry -> add(found, entry, 0, GuestData.count(entry.getValue())));
        return List.copyOf(found.values());
    }

    /** Sync, Async and Total count the same traffic once more. */
    private static void add(Map<Blkio, Blkio> found, BlkioStatsEntry entry, long bytes, long requests) {
        for (String operation : List.of("Read", "Write")) {
            if (operation.equalsIgnoreCase(entry.getOp())) {
                long major = GuestData.count(entry.getMajor());
                long minor = GuestData.count(entry.getMinor());
                found.merge(
                        new Blkio(major, minor, operation, 0, 0),
                        new Blkio(major, minor, operation, bytes, requests),
                        StatsMessages::sum);
            }
        }
    }

    private static Blkio sum(Blkio a, Blkio b) {
        return new Blkio(
                a.major(),
                a.minor(),
                a.operation(),
                LongMath.saturatedAdd(a.bytes(), b.bytes()),
                LongMath.saturatedAdd(a.requests(), b.requests()));
    }

    private static Map<String, Hugetlb> hugetlb(Map<String, HugetlbStats> pages) {
        Map<String, Hugetlb> read = new HashMap<>();
        GuestData.atMost(MOST_ENTRIES, pages.entrySet(), "sizes of huge pages")
                .forEach(entry -> read.put(
                        name(entry.getKey()),
                        new Hugetlb(
                                GuestData.count(entry.getValue().getUsage()),
                                GuestData.count(entry.getValue().getMaxUsage()),
                                GuestData.count(entry.getValue().getFailcnt()))));
        return read;
    }

    private static Network network(NetworkStats network) {
        return new Network(
                name(network.getName()),
                GuestData.count(network.getRxBytes()),
                GuestData.count(network.getRxPackets()),
                GuestData.count(network.getRxErrors()),
                GuestData.count(network.getRxDropped()),
                GuestData.count(network.getTxBytes()),
                GuestData.count(network.getTxPackets()),
                GuestData.count(network.getTxErrors()),
                GuestData.count(network.getTxDropped()));
    }

    private static String name(String name) {
        return GuestData.text(LONGEST_NAME, name, "name of a counter");
    }
}
