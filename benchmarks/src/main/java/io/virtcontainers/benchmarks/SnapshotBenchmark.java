// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.Snapshot;
import io.virtcontainers.VirtContainers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Clones of a prepared sandbox against its preparation, in turn in one run: from {@code restore} until the clone's running
 * container has told the exit code of its first exec. Usage: {@code SnapshotBenchmark ROOTFS [PAIRS]}.
 */
public final class SnapshotBenchmark {
    private static final int PAIRS = 20;
    private static final int WARM_UP = 1;
    private static final double TARGET_MS = 250;

    private final VirtContainers vc;
    private final RootFs rootfs;

    private SnapshotBenchmark(VirtContainers vc, Path rootfs) {
        this.vc = vc;
        this.rootfs = RootFs.directory(rootfs);
    }

    public static void main(String[] args) throws Exception {
        int pairs = args.length > 1 ? Integer.parseInt(args[1]) : PAIRS;
        try (VirtContainers vc = VirtContainers.open()) {
            new SnapshotBenchmark(vc, Path.of(args[0])).run(pairs);
        }
    }

    private void run(int pairs) throws Exception {
        Report report = new Report(
                "snapshot", "A sandbox with one running container; its clones and fresh ones are made in turn.");
        List<Double> prepared = new ArrayList<>();
        List<Double> restored = new ArrayList<>();
        List<Double> replaced = new ArrayList<>();
        List<Double> saved = new ArrayList<>();
        try (Sandbox source = prepare("source");
                Snapshot snapshot = source.snapshot()) {
            Sandbox clone = vc.restore(snapshot, "clone-first");
            for (int i = -WARM_UP; i < pairs; i++) {
                long start = System.nanoTime();
                clone.close();
                long reset = System.nanoTime();
                clone = vc.restore(snapshot, "clone" + i);
                use(clone.container("c"));
                double whole = millisSince(start);
                double restore = millisSince(reset);
                start = System.nanoTime();
                Sandbox fresh = prepare("fresh");
                double preparation = millisSince(start);
                fresh.close();
                start = System.nanoTime();
                source.snapshot().close();
                if (i >= 0) {
                    saved.add(millisSince(start));
                    restored.add(restore);
                    replaced.add(whole);
                    prepared.add(preparation);
                }
            }
            report.add(
                    Figure.of("snapshot: restore to the exit code of the first exec in its container", "ms", restored)
                            .against("the same with a new sandbox and container", prepared)
                            .atMost(TARGET_MS));
            report.add(Figure.of("snapshot: a used clone closed, another restored, first exec", "ms", replaced)
                    .atMost(TARGET_MS));
            report.add(Figure.of("snapshot: making and closing one", "ms", saved));
            report.add(Figure.of("snapshot: its files", "MiB", snapshot.size().bytes() / (double) (1 << 20)));
            report.add(Figure.of(
                    "snapshot: memory of a clone's own (USS) after its first exec",
                    "MiB",
                    Machine.unique(clone.status().hypervisor().orElseThrow().pid())));
            System.out.println(clone.timeline());
            clone.close();
        }
        report.write();
    }

    private static double millisSince(long start) {
        return (System.nanoTime() - start) / 1e6;
    }

    private Sandbox prepare(String id) {
        Sandbox sandbox = vc.run(SandboxConfig.builder(id).build());
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(rootfs)
                .command("sleep", "1000000")
                .build());
        container.start();
        use(container);
        return sandbox;
    }

    private static void use(Container container) {
        GuestProcess process = container.exec(ProcessConfig.of("true"));
        int code = process.waitFor(Duration.ofMinutes(1)).code();
        if (code != 0) {
            throw new IllegalStateException("true ended with code " + code);
        }
    }
}
