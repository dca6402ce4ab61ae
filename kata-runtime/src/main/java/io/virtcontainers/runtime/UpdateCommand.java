// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.Container;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Resources;
import io.virtcontainers.Sandbox;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.oci.OciResources;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * {@code update ID}: changes the limits of a container. What would have no effect is refused by name: an engine that is told
 * "done" counts on it.
 */
final class UpdateCommand {
    private static final String VERSION_1 = "is of cgroup version 1, the guest has version 2";
    private static final String NO_FIELD = "has no field in the protocol of the guest's agent";
    private static final String HARDWARE = "is of the host's processors, which a guest cannot see";
    private static final String NODES = "the memory nodes are the host's, the guest has one";
    private static final String DISKS = "the disks are the host's, the guest has others";

    /** By the names of runc's options, and those of the fields of {@code linux.resources}. */
    private static final Map<String, String> REFUSED = Map.of(
            "blkio-weight", DISKS,
            "cpu-rt-period", VERSION_1,
            "cpu-rt-runtime", VERSION_1,
            "cpuset-mems", NODES,
            "kernel-memory", VERSION_1,
            "kernel-memory-tcp", VERSION_1,
            "l3-cache-schema", HARDWARE,
            "mem-bw-schema", HARDWARE,
            "cpu-burst", NO_FIELD,
            "cpu-idle", NO_FIELD);

    private static final List<Option> OPTIONS = Stream.concat(
                    Stream.of(
                            Option.value("resources", "r"),
                            Option.value("cpu-period"),
                            Option.value("cpu-quota"),
                            Option.value("cpu-share"),
                            Option.value("cpuset-cpus"),
                            Option.value("memory"),
                            Option.value("memory-reservation"),
                            Option.value("memory-swap"),
                            Option.value("pids-limit")),
                    REFUSED.keySet().stream().map(Option::value))
            .toList();

    private UpdateCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("update", words, OPTIONS);
        String id = arguments.onlyId();
        Optional<String> file = arguments.value("resources");
        Resources changes;
        Optional<String> cpus;
        if (file.isPresent()) {
            OciResources given = OciResources.parse(new String(InputFile.read("update", file.get()), UTF_8));
            refuse(given);
            changes = given.toConfig();
            cpus = given.cpu().cpus();
        } else {
            refuse(arguments);
            changes = resources(arguments);
            cpus = arguments.value("cpuset-cpus");
        }
        try (Containers containers = Containers.open(options)) {
            update(containers, containers.registry().get(id), changes, cpus.filter(list -> !list.isEmpty()));
            return 0;
        }
    }

    private static void update(Containers containers, Entry entry, Resources changes, Optional<String> cpus)
            throws IOException {
        Container container = containers.container(entry.id());
        Sandbox sandbox = containers.library().sandbox(entry.sandbox());
        if (cpus.isPresent()) {
            SandboxCgroup.require(sandbox, "cpuset-cpus");
        }
        if (!changes.isEmpty()) {
            container.update(changes);
        }
        cpus.ifPresent(list -> SandboxCgroup.cpus(container, list));
        SandboxCgroup.limit(sandbox);
    }

    private static void refuse(Arguments arguments) {
        REFUSED.forEach((name, why) -> refuse(name, arguments.value(name).isPresent(), why));
    }

    private static void refuse(String name, boolean given, String why) {
        if (given) {
            throw new UnsupportedException("update: " + name + ": " + why);
        }
    }

    /** Zeros and empty lists say nothing; the rules for devices are those of the creation, which engines repeat. */
    private static void refuse(OciResources given) {
        OciResources.Memory memory = given.memory();
        refuse("memory.kernel", isSet(memory.kernel()), VERSION_1);
        refuse("memory.kernelTCP", isSet(memory.kernelTcp()), VERSION_1);
        refuse("memory.swappiness", isSet(memory.swappiness()), VERSION_1);
        refuse("memory.disableOOMKiller", memory.disableOomKiller(), VERSION_1);
        OciResources.Cpu cpu = given.cpu();
        refuse("cpu.realtimeRuntime", isSet(cpu.realtimeRuntime()), VERSION_1);
        refuse("cpu.realtimePeriod", isSet(cpu.realtimePeriod()), VERSION_1);
        refuse("cpu.burst", isSet(cpu.burst()), NO_FIELD);
        refuse("cpu.idle", isSet(cpu.idle()), NO_FIELD);
        refuse("cpu.mems", cpu.mems().filter(list -> !list.isEmpty()).isPresent(), NODES);
        OciResources.BlockIo disks = given.blockIo();
        boolean rates = Stream.of(
                        disks.weightDevice(),
                        disks.throttleReadBpsDevice(),
                        disks.throttleWriteBpsDevice(),
                        disks.throttleReadIopsDevice(),
                        disks.throttleWriteIopsDevice())
                .anyMatch(list -> !list.isEmpty());
        refuse("blockIO", rates || isSet(disks.weight()) || isSet(disks.leafWeight()), DISKS);
        refuse(
                "hugepageLimits",
                given.hugepageLimits().stream().anyMatch(limit -> limit.limit() != 0),
                "the guest has no huge pages");
        refuse(
                "network",
                isSet(given.network().classId())
                        || !given.network().priorities().isEmpty(),
                VERSION_1);
        refuse("rdma", !given.rdma().isEmpty(), "the hardware is the host's");
        refuse("unified", !given.unified().isEmpty(), NO_FIELD);
    }

    private static boolean isSet(OptionalLong number) {
        return number.orElse(0) != 0;
    }

    private static Resources resources(Arguments arguments) {
        Resources.Builder limits = Resources.builder();
        number(arguments, "cpu-share").ifPresent(limits::cpuShares);
        number(arguments, "cpu-quota").ifPresent(limits::cpuQuotaMicros);
        number(arguments, "cpu-period").ifPresent(limits::cpuPeriodMicros);
        number(arguments, "pids-limit").ifPresent(limits::pidsLimit);
        size(arguments, "memory").map(MemorySize::ofBytes).ifPresent(limits::memoryLimit);
        size(arguments, "memory-reservation").map(MemorySize::ofBytes).ifPresent(limits::memoryReservation);
        size(arguments, "memory-swap").ifPresent(limits::memorySwap);
        return limits.build();
    }

    private static OptionalLong number(Arguments arguments, String name) {
        Optional<String> text = arguments.value(name);
        try {
            return text.isPresent() ? OptionalLong.of(Long.parseLong(text.get())) : OptionalLong.empty();
        } catch (NumberFormatException e) {
            throw invalid(name, text.orElse(""));
        }
    }

    /** Bytes, or with k, m or g, in powers of 1024. */
    private static Optional<Long> size(Arguments arguments, String name) {
        return arguments.value(name).map(text -> {
            String lower = text.toLowerCase(Locale.ROOT).replaceFirst("(?<=[kmg])b$", "");
            int shift = lower.endsWith("k") ? 10 : lower.endsWith("m") ? 20 : lower.endsWith("g") ? 30 : 0;
            try {
                long count = Long.parseLong(shift == 0 ? lower : lower.substring(0, lower.length() - 1));
                return Math.multiplyExact(count, 1L << shift);
            } catch (ArithmeticException | NumberFormatException e) {
                throw invalid(name, text);
            }
        });
    }

    private static UsageException invalid(String name, String text) {
        return new UsageException("update: invalid value for " + name + ": \"" + text + '"');
    }
}
