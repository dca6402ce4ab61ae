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
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Clones of a template against cold boots, in turn in one run: from the exec of QEMU to the agent's first reply, the memory
 * that is a machine's own, and many clones alive at once, each with a container that says its own words. Usage: {@code
 * bin/bench clone [PAIRS [ALIVE]]}.
 */
public final class CloneBenchmark {
    private static final int PAIRS = 20;
    private static final int ALIVE = 30;
    private static final int WARM_UP = 1;
    private static final double TARGET_TIMES = 8;
    private static final double TARGET_SHARE = 0.35;
    private static final double TARGET_LEASE_MS = 10;

    private final Report report =
            new Report("clone", "A clone of a template and a cold boot in turn; who is first alternates.");

    private CloneBenchmark() {}

    public static void main(String[] args) throws Exception {
        int pairs = args.length > 1 ? Integer.parseInt(args[1]) : PAIRS;
        int alive = args.length > 2 ? Integer.parseInt(args[2]) : ALIVE;
        new CloneBenchmark().measure(Path.of(args[0]), pairs, alive);
    }

    private void measure(Path rootfs, int pairs, int alive) throws Exception {
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
            report.add(Figure.of("clone: exec of QEMU to the agent's first reply", "ms", cloned)
                    .against("cold boot", cold)
                    .timesLess(TARGET_TIMES));
            report.add(Figure.of("clone: the whole of run(), with fresh randomness and time", "ms", clonedStart)
                    .against("cold", coldStart));
            memory(vc);
            leases(vc, pairs);
            manyAlive(vc, rootfs, alive);
        }
        report.write();
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
    private void memory(VirtContainers vc) throws IOException {
        try (Sandbox cold = run(vc, "cold1", false);
                Sandbox unused = run(vc, "cold2", false);
                Sandbox clone = run(vc, "clone1", true);
                Sandbox unusedToo = run(vc, "clone2", true)) {
            report.add(Figure.of("clone: memory of its own (USS), two of each alive", "MiB", unique(clone))
                    .against("cold", List.of(unique(cold)))
                    .ratioAtMost(TARGET_SHARE));
        }
    }

    /** From the wish for a sandbox to the first answer of its guest, when one is ready. */
    private void leases(VirtContainers vc, int count) throws InterruptedException {
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
        report.add(Figure.of("lease from a warm pool to the guest's first reply", "ms", times)
                .atMost(TARGET_LEASE_MS));
    }

    private static long pid(Sandbox sandbox) {
        return sandbox.status().hypervisor().orElseThrow().pid();
    }

    private static double unique(Sandbox sandbox) throws IOException {
        return Machine.unique(pid(sandbox));
    }

    private void manyAlive(VirtContainers vc, Path rootfs, int count) throws IOException {
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
                    List<Double> unique = new ArrayList<>();
                    List<Double> proportional = new ArrayList<>();
                    for (Sandbox alive : sandboxes) {
                        unique.add(unique(alive));
                        proportional.add(Machine.proportional(pid(alive)));
                    }
                    String each = " of each, " + (i + 1) + " clones alive, each with a container that ran";
                    report.add(Figure.of("memory of its own (USS)" + each, "MiB", unique));
                    report.add(Figure.of("memory with its share (PSS)" + each, "MiB", proportional));
                }
            }
            report.add(Figure.of("containers of " + count + " clones that said their own words", "containers", right)
                    .atLeast(count));
        } finally {
            sandboxes.forEach(Sandbox::close);
        }
    }
}
