// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.MemorySize;
import io.virtcontainers.Resources;
import io.virtcontainers.oci.OciResources;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/** {@code update ID}: changes the limits of a container. */
final class UpdateCommand {
    /** Of cgroup version 1, of the host's disks or its processors: accepted, as engines pass them, and without meaning. */
    private static final List<String> WITHOUT_MEANING = List.of(
            "blkio-weight",
            "cpu-rt-period",
            "cpu-rt-runtime",
            "cpuset-cpus",
            "cpuset-mems",
            "kernel-memory",
            "kernel-memory-tcp",
            "memory-swap",
            "l3-cache-schema",
            "mem-bw-schema",
            "cpu-burst",
            "cpu-idle");

    private static final List<Option> OPTIONS = Stream.concat(
                    Stream.of(
                            Option.value("resources", "r"),
                            Option.value("cpu-period"),
                            Option.value("cpu-quota"),
                            Option.value("cpu-share"),
                            Option.value("memory"),
                            Option.value("memory-reservation"),
                            Option.value("pids-limit")),
                    WITHOUT_MEANING.stream().map(Option::value))
            .toList();

    private UpdateCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("update", words, OPTIONS);
        String id = arguments.onlyId();
        Resources changes = resources(arguments);
        try (Containers containers = Containers.open(options)) {
            containers.container(id).update(changes);
            return 0;
        }
    }

    private static Resources resources(Arguments arguments) throws IOException {
        Optional<String> file = arguments.value("resources");
        if (file.isPresent()) {
            return OciResources.parse(new String(InputFile.read("update", file.get()), UTF_8))
                    .toConfig();
        }
        Resources.Builder limits = Resources.builder();
        number(arguments, "cpu-share").ifPresent(limits::cpuShares);
        number(arguments, "cpu-quota").ifPresent(limits::cpuQuotaMicros);
        number(arguments, "cpu-period").ifPresent(limits::cpuPeriodMicros);
        number(arguments, "pids-limit").ifPresent(limits::pidsLimit);
        size(arguments, "memory").ifPresent(limits::memoryLimit);
        size(arguments, "memory-reservation").ifPresent(limits::memoryReservation);
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
    private static Optional<MemorySize> size(Arguments arguments, String name) {
        return arguments.value(name).map(text -> {
            String lower = text.toLowerCase(Locale.ROOT).replaceFirst("(?<=[kmg])b$", "");
            int shift = lower.endsWith("k") ? 10 : lower.endsWith("m") ? 20 : lower.endsWith("g") ? 30 : 0;
            try {
                long count = Long.parseLong(shift == 0 ? lower : lower.substring(0, lower.length() - 1));
                return MemorySize.ofBytes(Math.multiplyExact(count, 1L << shift));
            } catch (ArithmeticException | NumberFormatException e) {
                throw invalid(name, text);
            }
        });
    }

    private static UsageException invalid(String name, String text) {
        return new UsageException("update: invalid value for " + name + ": \"" + text + '"');
    }
}
