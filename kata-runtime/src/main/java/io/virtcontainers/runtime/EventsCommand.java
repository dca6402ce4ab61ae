// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.Container;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code events ID}: what a container uses, as lines of JSON in runc's form; until it ends, or once. */
final class EventsCommand {
    private static final List<Option> OPTIONS = List.of(Option.value("interval"), Option.flag("stats"));
    private static final Pattern DURATION = Pattern.compile("(\\d+)(ms|s|m|h)");

    private EventsCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("events", words, OPTIONS);
        String id = arguments.onlyId();
        Duration interval = duration(arguments.value("interval").orElse("5s"));
        try (Containers containers = Containers.open(options)) {
            Container container = ExecCommand.usable(containers, id);
            System.out.println(json(id, container.stats()));
            if (!arguments.is("stats")) {
                CountDownLatch ended = new CountDownLatch(1);
                var unused = container.process().onExit().whenComplete((exit, e) -> ended.countDown());
                while (!ended.await(interval.toMillis(), TimeUnit.MILLISECONDS)) {
                    System.out.println(json(id, container.stats()));
                }
            }
            return 0;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new VirtException("interrupted", e);
        }
    }

    private static Duration duration(String text) {
        Matcher matcher = DURATION.matcher(text);
        Duration duration = Duration.ZERO;
        int end = 0;
        while (matcher.find() && matcher.start() == end) {
            long count = Long.parseLong(matcher.group(1));
            duration = duration.plus(
                    switch (matcher.group(2)) {
                        case "ms" -> Duration.ofMillis(count);
                        case "s" -> Duration.ofSeconds(count);
                        case "m" -> Duration.ofMinutes(count);
                        default -> Duration.ofHours(count);
                    });
            end = matcher.end();
        }
        if (end != text.length() || duration.isZero()) {
            throw new UsageException("events: --interval \"" + text + "\" must be greater than 0, for example 5s");
        }
        return duration;
    }

    static String json(String id, ContainerStats stats) {
        ObjectNode event =
                JsonNodeFactory.instance.objectNode().put("type", "stats").put("id", id);
        ObjectNode data = event.putObject("data");
        cpu(data.putObject("cpu"), stats.cpu());
        memory(data.putObject("memory"), stats.memory());
        ObjectNode pids = data.putObject("pids").put("current", stats.pids().current());
        if (stats.pids().limit() > 0) {
            pids.put("limit", stats.pids().limit());
        }
        blkio(data.putObject("blkio"), stats.blkio());
        ObjectNode hugetlb = data.putObject("hugetlb");
        stats.hugetlb()
                .forEach((size, pages) -> hugetlb.putObject(size)
                        .put("usage", pages.usage())
                        .put("max", pages.maxUsage())
                        .put("failcnt", pages.failures()));
        data.putObject("intel_rdt");
        return event.toString();
    }

    private static void cpu(ObjectNode json, ContainerStats.Cpu cpu) {
        json.putObject("usage")
                .put("total", cpu.usage().toNanos())
                .put("kernel", cpu.kernel().toNanos())
                .put("user", cpu.user().toNanos());
        json.putObject("throttling")
                .put("periods", cpu.periods())
                .put("throttledPeriods", cpu.throttledPeriods())
                .put("throttledTime", cpu.throttled().toNanos());
    }

    private static void memory(ObjectNode json, ContainerStats.Memory memory) {
        json.put("cache", memory.cache());
        json.putObject("usage")
                .put("limit", memory.limit())
                .put("usage", memory.usage())
                .put("max", memory.maxUsage())
                .put("failcnt", memory.failures());
        json.putObject("swap").put("usage", memory.swap());
        json.putObject("kernel").put("usage", memory.kernel());
        json.putObject("kernelTCP");
        ObjectNode raw = json.putObject("raw");
        memory.details().forEach(raw::put);
    }

    private static void blkio(ObjectNode json, List<ContainerStats.Blkio> devices) {
        if (devices.isEmpty()) {
            return;
        }
        ArrayNode bytes = json.putArray("ioServiceBytesRecursive");
        ArrayNode requests = json.putArray("ioServicedRecursive");
        for (ContainerStats.Blkio device : devices) {
            entry(bytes, device, device.bytes());
            entry(requests, device, device.requests());
        }
    }

    private static void entry(ArrayNode list, ContainerStats.Blkio device, long value) {
        list.addObject()
                .put("major", device.major())
                .put("minor", device.minor())
                .put("op", device.operation())
                .put("value", value);
    }
}
