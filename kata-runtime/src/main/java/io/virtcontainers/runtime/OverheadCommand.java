// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxStats;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * {@code kata-overhead}: what machines cost the host beyond what their containers use, over one second. A line of JSON for
 * each sandbox.
 */
final class OverheadCommand {
    private static final long INTERVAL_SECONDS = 1;
    private static final double PERCENT = 100;

    private OverheadCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("kata-overhead", words, List.of());
        if (arguments.rest().isEmpty()) {
            throw new UsageException("kata-overhead: Missing sandbox ID");
        }
        try (Containers containers = Containers.open(options)) {
            for (String id : arguments.rest()) {
                System.out.println(of(containers
                        .library()
                        .sandbox(containers.registry().get(id).sandbox())));
            }
            return 0;
        }
    }

    private static ObjectNode of(Sandbox sandbox) {
        long start = System.nanoTime();
        SandboxStats before = sandbox.stats();
        try {
            TimeUnit.SECONDS.sleep(INTERVAL_SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new VirtException("interrupted", e);
        }
        SandboxStats after = sandbox.stats();
        double nanos = System.nanoTime() - start;
        double host = after.cpu().minus(before.cpu()).toNanos() / nanos * PERCENT;
        double guest = cpu(after).minus(cpu(before)).toNanos() / nanos * PERCENT;
        long memory = after.containers().values().stream()
                .mapToLong(stats -> stats.memory().usage())
                .sum();
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("sandbox_id", sandbox.id());
        json.put("cpu_overhead", host - guest)
                .put("memory_overhead_bytes", after.memoryPss().bytes() - memory);
        json.put("cpu_host", host).put("cpu_guest", guest);
        return json.put("memory_host", after.memoryPss().bytes()).put("memory_guest", memory);
    }

    private static Duration cpu(SandboxStats stats) {
        return stats.containers().values().stream()
                .map(ContainerStats::cpu)
                .map(ContainerStats.Cpu::usage)
                .reduce(Duration.ZERO, Duration::plus);
    }
}
