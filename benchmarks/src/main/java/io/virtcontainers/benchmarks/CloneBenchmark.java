// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxPool;
import io.virtcontainers.Timeline;
import io.virtcontainers.VirtContainers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Clones of a template against cold boots, in turn in one run: from the exec of QEMU to the agent's first reply, the memory
 * that is a machine's own, and many clones alive at once, each with a container that says its own words. Usage: {@code
 * bin/bench clone [PAIRS [ALIVE]]}. Writes {@code benchmarks/target/clone.json}.
 */
public final class CloneBenchmark {
    private static final int PAIRS = 20;
    private static final int ALIVE = 30;
    private static final int WARM_UP = 1;

    private CloneBenchmark() {}

    public static void main(String[] args) throws Exception {
        Path rootfs = Path.of(args[0]);
        int pairs = args.length > 1 ? Integer.parseInt(args[1]) : PAIRS;
        int alive = args.length > 2 ? Integer.parseInt(args[2]) : ALIVE;
        List<Double> cold = new ArrayList<>();
        List<Double> cloned = new ArrayList<>();
        List<Double> coldStart = new ArrayList<>();
        List<Double> clonedStart = new ArrayList<>();
        try (VirtContainers vc = VirtContainers.open()) {
            run(vc, "template", true).close(); // makes it
            for (int i = -WARM_UP; i < pairs; i++) {
                for (boolean template : i % 2 == 0 ? new boolean[] {true, false} : new boolean[] {false, true}) {
                    long start = System.nanoTime();
                    try (Sandbox sandbox = run(vc, "bench", template)) {
                        double whole = (System.nanoTime() - start) / 1e6;
                        if (i >= 0) {
                            (template ? cloned : cold).add(fromExecToReply(sandbox.timeline()));
                            (template ? clonedStart : coldStart).add(whole);
                        }
                    }
                }
            }
            double ratio = Figures.median(cold) / Figures.median(cloned);
            System.out.printf(
                    Locale.ROOT,
                    "exec of QEMU to the agent's first reply, %d interleaved pairs: cold %s, clone %s, ratio of the medians"
                            + " %.1f (target >= 8: %s)%n",
                    pairs,
                    Figures.shown(cold),
                    Figures.shown(cloned),
                    ratio,
                    ratio >= 8 ? "met" : "missed");
            System.out.printf(
                    Locale.ROOT,
                    "run() as a whole, with fresh randomness and time for the clone: cold %s, clone %s, ratio %.1f%n",
                    Figures.shown(coldStart),
                    Figures.shown(clonedStart),
                    Figures.median(coldStart) / Figures.median(clonedStart));
            double share = memory(vc);
            leases(vc, pairs);
            manyAlive(vc, rootfs, alive);
            Path json = Path.of("benchmarks/target/clone.json");
            Files.writeString(
                    json,
                    String.format(
                            Locale.ROOT,
                            "{\"benchmark\":\"clone\",\"unit\":\"ms\",\"cold\":%s,\"clone\":%s,\"ratio\":%.2f,"
                                    + "\"runCold\":%s,\"runClone\":%s,\"ownMemoryShare\":%.3f}%n",
                            cold,
                            cloned,
                            ratio,
                            coldStart,
                            clonedStart,
                            share));
        }
    }

    private static Sandbox run(VirtContainers vc, String id, boolean template) {
        return vc.run(SandboxConfig.builder(id).template(template).build());
    }

    private static double fromExecToReply(Timeline timeline) {
        Timeline.Phase launch = phase(timeline, "qemu.launch");
        Timeline.Phase connect = phase(timeline, "agent.connect");
        Duration time = connect.start().plus(connect.duration()).minus(launch.start());
        return time.toNanos() / 1e6;
    }

    /** The last of this name: a timeline that makes the template first has two. */
    private static Timeline.Phase phase(Timeline timeline, String name) {
        return timeline.phases().stream()
                .filter(phase -> phase.name().equals(name))
                .reduce((first, second) -> second)
                .orElseThrow(() -> new IllegalStateException("no phase " + name + " in\n" + timeline));
    }

    /** What of its memory a machine shares with nobody (USS), with two of each kind alive. */
    private static double memory(VirtContainers vc) throws IOException {
        try (Sandbox cold = run(vc, "cold1", false);
                Sandbox unused = run(vc, "cold2", false);
                Sandbox clone = run(vc, "clone1", true);
                Sandbox unusedToo = run(vc, "clone2", true)) {
            double ofCold = unique(cold);
            double ofClone = unique(clone);
            System.out.printf(
                    Locale.ROOT,
                    "memory of its own (USS), two of each alive: cold %.1f MiB, clone %.1f MiB, share %.0f %% (target <= 35 %%:"
                            + " %s)%n",
                    ofCold,
                    ofClone,
                    100 * ofClone / ofCold,
                    ofClone <= 0.35 * ofCold ? "met" : "missed");
            return ofClone / ofCold;
        }
    }

    /** From the wish for a sandbox to the first answer of its guest, when one is ready. */
    private static void leases(VirtContainers vc, int count) throws InterruptedException {
        List<Double> times = new ArrayList<>();
        SandboxConfig config = SandboxConfig.builder("pool").template(true).build();
        try (SandboxPool pool = vc.pool(config, 2, 4)) {
            for (int i = 0; i < count; i++) {
                while (pool.ready() < 2) {
                    Thread.sleep(5);
                }
                long start = System.nanoTime();
                try (Sandbox sandbox = pool.lease(Duration.ofMinutes(1))) {
                    boolean answers = sandbox.status().guestAnswers();
                    times.add((System.nanoTime() - start) / 1e6);
                    if (!answers) {
                        throw new IllegalStateException("the guest of " + sandbox.id() + " does not answer");
                    }
                }
            }
        }
        System.out.printf(
                Locale.ROOT,
                "lease from a warm pool to the guest's first answer, %d times: p50 %.1f ms (target <= 10 ms: %s)%n",
                count,
                Figures.median(times),
                Figures.median(times) <= 10 ? "met" : "missed");
    }

    private static double unique(Sandbox sandbox) throws IOException {
        return kib(sandbox, "Private_Clean:") / 1024 + kib(sandbox, "Private_Dirty:") / 1024;
    }

    private static double kib(Sandbox sandbox, String field) throws IOException {
        long pid = sandbox.status().hypervisor().orElseThrow().pid();
        return Files.readAllLines(Path.of("/proc", Long.toString(pid), "smaps_rollup")).stream()
                .filter(line -> line.startsWith(field))
                .mapToDouble(line -> Double.parseDouble(line.replaceAll("[^0-9]", "")))
                .sum();
    }

    private static void manyAlive(VirtContainers vc, Path rootfs, int count) throws IOException {
        List<Sandbox> sandboxes = new ArrayList<>();
        try {
            int right = 0;
            for (int i = 0; i < count; i++) {
                Sandbox sandbox = run(vc, "many" + i, true);
                sandboxes.add(sandbox);
                Container container = sandbox.createContainer(ContainerConfig.builder("c")
                        .rootfs(RootFs.directory(rootfs))
                        .command("echo", "words of " + i)
                        .build());
                container.start();
                container.process().stdin().close();
                String words = new String(container.process().stdout().readAllBytes(), UTF_8);
                right += words.equals("words of " + i + "\n") ? 1 : 0;
                if (i + 1 == 1 || i + 1 == 10 || i + 1 == count) {
                    double uss = 0;
                    double pss = 0;
                    for (Sandbox alive : sandboxes) {
                        uss += unique(alive);
                        pss += kib(alive, "Pss:") / 1024;
                    }
                    System.out.printf(
                            Locale.ROOT,
                            "%d clones alive, each with a container that ran: USS %.1f MiB, PSS %.1f MiB each%n",
                            i + 1,
                            uss / (i + 1),
                            pss / (i + 1));
                }
            }
            System.out.printf(Locale.ROOT, "%d of %d containers said their own words%n", right, count);
        } finally {
            sandboxes.forEach(Sandbox::close);
        }
    }
}
