// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static io.virtcontainers.oci.JsonObject.UINT16;
import static io.virtcontainers.oci.JsonObject.UINT32;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Resources;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The limits of a container (runtime-spec, config-linux.md, {@code linux.resources}). What is empty is not limited by it.
 *
 * @param devices which devices may be used; of two rules that match, the later counts
 * @param memory limits of memory
 * @param cpu limits of processors
 * @param pidsLimit how many processes and threads there may be; -1: any number ({@code pids.limit})
 * @param blockIo limits of disks
 * @param hugepageLimits limits of huge pages
 * @param network marks and priorities of packets
 * @param rdma limits of RDMA devices by their names
 * @param unified files of the cgroup (v2) and what is written to them
 */
public record OciResources(
        List<DeviceRule> devices,
        Memory memory,
        Cpu cpu,
        OptionalLong pidsLimit,
        BlockIo blockIo,
        List<HugepageLimit> hugepageLimits,
        Network network,
        Map<String, Rdma> rdma,
        Map<String, String> unified) {
    private static final long MIN_SHARES = 2;
    private static final long MAX_SHARES = 262144;

    /** Empty numbers match any; the access is a word of {@code r}, {@code w} and {@code m}. */
    public record DeviceRule(
            boolean allow, Optional<String> type, OptionalLong major, OptionalLong minor, Optional<String> access) {
        static DeviceRule of(JsonObject json) {
            return new DeviceRule(
                    json.requiredFlag("allow"),
                    json.text("type"),
                    json.number("major"),
                    json.number("minor"),
                    json.text("access"));
        }
    }

    /** In bytes, -1 for no limit; swap is memory and swap together; swappiness is 0 to 100. */
    public record Memory(
            OptionalLong limit,
            OptionalLong reservation,
            OptionalLong swap,
            OptionalLong kernel,
            OptionalLong kernelTcp,
            OptionalLong swappiness,
            boolean disableOomKiller,
            boolean useHierarchy,
            boolean checkBeforeUpdate) {
        static Memory of(JsonObject json) {
            return new Memory(
                    json.number("limit"),
                    json.number("reservation"),
                    json.number("swap"),
                    json.number("kernel"),
                    json.number("kernelTCP"),
                    json.number("swappiness", 0, 100),
                    json.flag("disableOOMKiller"),
                    json.flag("useHierarchy"),
                    json.flag("checkBeforeUpdate"));
        }
    }

    /** Times in microseconds; cpus and mems are lists such as {@code 0-1,3} of the host. */
    public record Cpu(
            OptionalLong shares,
            OptionalLong quota,
            OptionalLong burst,
            OptionalLong period,
            OptionalLong realtimeRuntime,
            OptionalLong realtimePeriod,
            Optional<String> cpus,
            Optional<String> mems,
            OptionalLong idle) {
        static Cpu of(JsonObject json) {
            return new Cpu(
                    json.number("shares", 0, Long.MAX_VALUE),
                    json.number("quota"),
                    json.number("burst", 0, Long.MAX_VALUE),
                    json.number("period", 0, Long.MAX_VALUE),
                    json.number("realtimeRuntime"),
                    json.number("realtimePeriod", 0, Long.MAX_VALUE),
                    json.text("cpus"),
                    json.text("mems"),
                    json.number("idle"));
        }
    }

    /** Weights are 10 to 1000; rates are bytes or operations per second, without a sign. */
    public record BlockIo(
            OptionalLong weight,
            OptionalLong leafWeight,
            List<DeviceWeight> weightDevice,
            List<DeviceRate> throttleReadBpsDevice,
            List<DeviceRate> throttleWriteBpsDevice,
            List<DeviceRate> throttleReadIopsDevice,
            List<DeviceRate> throttleWriteIopsDevice) {
        static BlockIo of(JsonObject json) {
            return new BlockIo(
                    json.number("weight", 0, UINT16),
                    json.number("leafWeight", 0, UINT16),
                    json.objects("weightDevice", DeviceWeight::of),
                    json.objects("throttleReadBpsDevice", DeviceRate::of),
                    json.objects("throttleWriteBpsDevice", DeviceRate::of),
                    json.objects("throttleReadIOPSDevice", DeviceRate::of),
                    json.objects("throttleWriteIOPSDevice", DeviceRate::of));
        }
    }

    /** A disk of the host and its weights. */
    public record DeviceWeight(long major, long minor, OptionalLong weight, OptionalLong leafWeight) {
        static DeviceWeight of(JsonObject json) {
            return new DeviceWeight(
                    json.requiredNumber("major"),
                    json.requiredNumber("minor"),
                    json.number("weight", 0, UINT16),
                    json.number("leafWeight", 0, UINT16));
        }
    }

    /** A disk of the host and its rate. */
    public record DeviceRate(long major, long minor, long rate) {
        static DeviceRate of(JsonObject json) {
            return new DeviceRate(
                    json.requiredNumber("major"), json.requiredNumber("minor"), json.requiredUnsigned("rate"));
        }
    }

    /** A page size such as {@code 2MB}, and bytes without a sign. */
    public record HugepageLimit(String pageSize, long limit) {
        static HugepageLimit of(JsonObject json) {
            return new HugepageLimit(json.requiredText("pageSize"), json.requiredUnsigned("limit"));
        }
    }

    /** For the controllers net_cls and net_prio. */
    public record Network(OptionalLong classId, List<InterfacePriority> priorities) {
        static Network of(JsonObject json) {
            return new Network(json.number("classID", 0, UINT32), json.objects("priorities", InterfacePriority::of));
        }
    }

    /** The priority of what is sent on an interface. */
    public record InterfacePriority(String name, long priority) {
        static InterfacePriority of(JsonObject json) {
            return new InterfacePriority(json.requiredText("name"), json.requiredNumber("priority", 0, UINT32));
        }
    }

    /** How many handles and objects. */
    public record Rdma(OptionalLong hcaHandles, OptionalLong hcaObjects) {
        static Rdma of(JsonObject json) {
            return new Rdma(json.number("hcaHandles", 0, UINT32), json.number("hcaObjects", 0, UINT32));
        }
    }

    /**
     * Reads limits that stand alone, as {@code update --resources} and containerd's Update give them.
     *
     * @throws InvalidConfigException naming the field, if it is wrong
     */
    public static OciResources parse(String json) {
        return of(new JsonObject(JsonDocument.parse(json), ""));
    }

    static OciResources of(JsonObject json) {
        return new OciResources(
                json.objects("devices", DeviceRule::of),
                json.objectOrEmpty("memory", Memory::of),
                json.objectOrEmpty("cpu", Cpu::of),
                json.object("pids", pids -> pids.requiredNumber("limit"))
                        .map(OptionalLong::of)
                        .orElseGet(OptionalLong::empty),
                json.objectOrEmpty("blockIO", BlockIo::of),
                json.objects("hugepageLimits", HugepageLimit::of),
                json.objectOrEmpty("network", Network::of),
                json.objectMap("rdma", Rdma::of),
                json.textMap("unified"));
    }

    /**
     * What the API takes of it. A zero is no limit, as engines mean it; shares are brought into the kernel's range, as the
     * kernel does it. The processors' numbers are left out: they are the host's.
     *
     * @throws InvalidConfigException if the kernel would refuse a value
     */
    public Resources toConfig() {
        Resources.Builder limits = Resources.builder();
        set(cpu.shares).ifPresent(shares -> limits.cpuShares(Math.max(MIN_SHARES, Math.min(MAX_SHARES, shares))));
        set(cpu.quota).ifPresent(quota -> limits.cpuQuotaMicros(Math.max(-1, quota)));
        set(cpu.period).ifPresent(limits::cpuPeriodMicros);
        positive(memory.limit).ifPresent(bytes -> limits.memoryLimit(MemorySize.ofBytes(bytes)));
        positive(memory.reservation).ifPresent(bytes -> limits.memoryReservation(MemorySize.ofBytes(bytes)));
        set(memory.swap).ifPresent(bytes -> limits.memorySwap(Math.max(-1, bytes)));
        set(pidsLimit).ifPresent(limit -> limits.pidsLimit(Math.max(-1, limit)));
        try {
            return limits.build();
        } catch (InvalidConfigException e) {
            throw new InvalidConfigException("linux.resources: " + e.getMessage());
        }
    }

    private static Optional<Long> set(OptionalLong number) {
        return number.isPresent() && number.getAsLong() != 0 ? Optional.of(number.getAsLong()) : Optional.empty();
    }

    private static Optional<Long> positive(OptionalLong number) {
        return set(number).filter(value -> value > 0);
    }
}
