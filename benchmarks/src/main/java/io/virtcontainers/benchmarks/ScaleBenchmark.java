// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import io.virtcontainers.HostProcess;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.core.Backends;
import io.virtcontainers.core.Engine;
import io.virtcontainers.testkit.FakeAgents;
import io.virtcontainers.testkit.FakeGuestImages;
import io.virtcontainers.testkit.FakeHypervisor;
import io.virtcontainers.testkit.Leaks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * What one sandbox more costs: time and memory of the host from the first to the last machine, the heap and the threads of
 * this process with thousands of fake ones, what cycles of making and closing leave, and what a {@code kill -9} leaves.
 * Usage: {@code ScaleBenchmark [MACHINES [FAKES]]}.
 */
public final class ScaleBenchmark {
    private static final int MACHINES = 50;
    private static final int FAKES = 2000;
    private static final int CYCLES = 1000;
    private static final int KILLS = 5;
    private static final int PART = 5;

    private ScaleBenchmark() {}

    public static void main(String[] args) throws Exception {
        if (args.length > 1 && args[0].equals("victim")) {
            beKilled(Path.of(args[1]));
        }
        int machines = args.length > 0 ? Integer.parseInt(args[0]) : MACHINES;
        int fakes = args.length > 1 ? Integer.parseInt(args[1]) : FAKES;
        Report report = new Report(
                "scale",
                "Sandboxes are started one after the other and kept; the first fifth of them is the baseline of the last.");
        Path state = Files.createTempDirectory("vcs");
        try {
            fakes(report, state.resolve("fake"), fakes);
            machines(report, state.resolve("real"), machines);
            kills(report, state.resolve("kill"));
        } finally {
            try (Stream<Path> files = Files.walk(state).sorted(Comparator.reverseOrder())) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
        }
        report.write();
    }

    private static VirtContainers open(Path state) {
        return VirtContainers.builder().stateDirectory(state).open();
    }

    private static List<Double> first(List<Double> values) {
        return values.subList(0, Math.max(1, values.size() / PART));
    }

    private static List<Double> last(List<Double> values) {
        return values.subList(values.size() - Math.max(1, values.size() / PART), values.size());
    }

    private static double millisSince(long start) {
        return (System.nanoTime() - start) / 1e6;
    }

    // Fakes

    private static void fakes(Report report, Path state, int count) throws Exception {
        try (Engine engine =
                Engine.open(state, () -> new Backends(new FakeHypervisor(), new FakeAgents(), new FakeGuestImages()))) {
            for (int i = 0; i < CYCLES / 10; i++) { // warms up
                engine.run(config("warm", false)).close();
            }
            Leaks before = Leaks.snapshot(state.resolve("sandboxes"));
            for (int i = 0; i < CYCLES; i++) {
                engine.run(config("cycle", false)).close();
            }
            report.add(Figure.of(
                            CYCLES + " cycles of making and closing a fake sandbox: threads, files, processes left",
                            "leaks",
                            leaks(before))
                    .atMost(0));
            int threads = Machine.threads();
            long files = Machine.openFiles();
            long heap = Machine.heap();
            List<Double> times = new ArrayList<>();
            List<Sandbox> all = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                long start = System.nanoTime();
                all.add(engine.run(config("s" + i, false)));
                times.add(millisSince(start));
            }
            double mib = (Machine.heap() - heap) / (double) count / (1 << 20);
            report.add(Figure.of("start of a fake sandbox, the last fifth of " + count, "ms", last(times))
                    .against("the first fifth", first(times))
                    .ratioAtMost(2));
            report.add(Figure.of("heap for each of " + count + " idle fake sandboxes, fake guests included", "MiB", mib)
                    .atMost(1));
            report.add(Figure.of(
                            "threads for " + count + " idle fake sandboxes",
                            "threads",
                            Math.max(0, Machine.threads() - threads))
                    .atMost(0));
            report.add(Figure.of(
                    "open files for each of " + count + " idle fake sandboxes",
                    "files",
                    (Machine.openFiles() - files) / (double) count));
            long start = System.nanoTime();
            all.forEach(Sandbox::close);
            report.add(Figure.of("closing each of " + count + " fake sandboxes", "ms", millisSince(start) / count));
        }
    }

    private static double leaks(Leaks before) {
        try {
            Leaks.none(before);
            return 0;
        } catch (AssertionError left) {
            String lines = String.valueOf(left.getMessage());
            System.out.println(lines);
            return lines.lines().count() - 1;
        }
    }

    private static SandboxConfig config(String id, boolean template) {
        return SandboxConfig.builder(id).template(template).build();
    }

    // Machines

    private static void machines(Report report, Path state, int count) throws Exception {
        try (VirtContainers vc = open(state)) {
            vc.templates().init(config("any", true));
            vc.run(config("warm", false)).close();
            Leaks before = Leaks.snapshot(state.resolve("sandboxes"));
            for (boolean template : new boolean[] {true, false}) {
                String kind = template ? "clone" : "cold machine";
                int threads = Machine.threads();
                long heap = Machine.heap();
                long files = Machine.openFiles();
                List<Double> times = new ArrayList<>();
                List<Sandbox> all = new ArrayList<>();
                try {
                    for (int i = 0; i < count; i++) {
                        long start = System.nanoTime();
                        all.add(vc.run(config(kind.replace(' ', '-') + i, template)));
                        times.add(millisSince(start));
                        if (i + 1 == 1 || i + 1 == 10 || i + 1 == 30 || i + 1 == count) {
                            memory(report, all, kind);
                        }
                    }
                    report.add(Figure.of("start of a " + kind + ", the last fifth of " + count, "ms", last(times))
                            .against("the first fifth", first(times)));
                    report.add(Figure.of(
                                    "heap for each of " + count + " " + kind + "s alive",
                                    "MiB",
                                    (Machine.heap() - heap) / (double) count / (1 << 20))
                            .atMost(1));
                    report.add(Figure.of(
                                    "threads for " + count + " " + kind + "s alive",
                                    "threads",
                                    Math.max(0, Machine.threads() - threads))
                            .atMost(0));
                    report.add(Figure.of(
                            "open files for each of " + count + " " + kind + "s alive",
                            "files",
                            (Machine.openFiles() - files) / (double) count));
                } finally {
                    all.forEach(Sandbox::close);
                }
            }
            report.add(Figure.of(
                            count + " clones and " + count + " cold machines closed: threads, files, processes left",
                            "leaks",
                            leaks(before))
                    .atMost(0));
        }
    }

    private static void memory(Report report, List<Sandbox> all, String kind) throws IOException {
        List<Double> unique = new ArrayList<>();
        List<Double> proportional = new ArrayList<>();
        for (Sandbox sandbox : all) {
            long pid = sandbox.status().hypervisor().orElseThrow().pid();
            unique.add(Machine.unique(pid));
            proportional.add(Machine.proportional(pid));
        }
        report.add(Figure.of("memory of each " + kind + "'s own (USS), " + all.size() + " alive", "MiB", unique));
        report.add(Figure.of(
                "memory of each " + kind + " with its share (PSS), " + all.size() + " alive", "MiB", proportional));
    }

    // Kill

    private static void beKilled(Path state) throws InterruptedException {
        VirtContainers vc = open(state);
        for (int i = 0; i < KILLS; i++) {
            Sandbox unused = vc.run(config("victim" + i, true));
        }
        System.out.println("ready");
        Thread.currentThread().join();
    }

    private static void kills(Report report, Path state) throws Exception {
        List<Double> times = new ArrayList<>();
        double left = 0;
        for (int i = 0; i < KILLS; i++) {
            Process victim = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            ScaleBenchmark.class.getName(),
                            "victim",
                            state.toString())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try (var lines = victim.inputReader()) {
                while (!"ready".equals(lines.readLine())) {
                    if (!victim.isAlive()) {
                        throw new IllegalStateException("the process that shall be killed has ended");
                    }
                }
            }
            List<HostProcess> machines = victim.toHandle()
                    .descendants()
                    .flatMap(handle -> HostProcess.find(handle.pid()).stream())
                    .toList();
            long start = System.nanoTime();
            victim.destroyForcibly();
            while (machines.stream().anyMatch(HostProcess::isAlive)) {
                TimeUnit.MILLISECONDS.sleep(1); // Java's own way to wait looks three times a second
            }
            times.add(millisSince(start));
            victim.waitFor(); // its locks go with its last thread, which may be after the machines
            try (VirtContainers vc = open(state);
                    Stream<Path> files = Files.list(state.resolve("sandboxes"))) {
                left += files.count() + vc.list().size();
            }
        }
        report.add(
                Figure.of("kill -9 of a process with " + KILLS + " sandboxes, to the end of all machines", "ms", times)
                        .atMost(2000));
        report.add(Figure.of("files and sandboxes that the next start finds and does not remove", "left", left)
                .atMost(0));
    }
}
