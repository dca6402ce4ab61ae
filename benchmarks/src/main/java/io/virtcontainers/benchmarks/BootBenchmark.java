// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.Timeline;
import io.virtcontainers.VirtContainers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Boot: from the exec of QEMU to the agent's first reply, the library against a bare script that starts the same QEMU and
 * waits for the same reply, in turn in one run. Usage: {@code bin/bench boot [PAIRS]}. See {@link
 * Report} for what it writes.
 */
public final class BootBenchmark {
    private static final int PAIRS = 10;
    private static final int WARM_UP = 2;
    private static final double TARGET = 1.10;

    private BootBenchmark() {}

    public static void main(String[] args) throws Exception {
        int pairs = args.length > 0 ? Integer.parseInt(args[0]) : PAIRS;
        List<Duration> library = new ArrayList<>();
        List<Duration> bare = new ArrayList<>();
        try (VirtContainers vc = VirtContainers.open()) {
            for (int i = -WARM_UP; i < pairs; i++) {
                // Who goes first alternates, so that neither has the warmer machine.
                BareRun run = new BareRun(vc);
                Duration byLibrary;
                Duration byScript;
                if (i % 2 == 0) {
                    byLibrary = run.library();
                    byScript = run.bare();
                } else {
                    run.library();
                    byScript = run.bare();
                    byLibrary = run.library();
                }
                System.out.printf(
                        Locale.ROOT,
                        "%s library %6.0f ms   bare %6.0f ms%n",
                        i < 0 ? "warm-up" : String.format(Locale.ROOT, "pair %2d", i + 1),
                        byLibrary.toNanos() / 1e6,
                        byScript.toNanos() / 1e6);
                if (i >= 0) {
                    library.add(byLibrary);
                    bare.add(byScript);
                }
            }
        }
        report(library, bare);
    }

    /** One pair: the library's boot tells the exact command line, the bare boot repeats it elsewhere. */
    private static final class BareRun {
        private final VirtContainers vc;
        private List<String> command = List.of();
        private String sandboxDirectory = "";

        BareRun(VirtContainers vc) {
            this.vc = vc;
        }

        Duration library() throws IOException {
            try (Sandbox sandbox = vc.run(SandboxConfig.builder("bench").build())) {
                command = commandLine();
                return fromExecToReply(sandbox.timeline());
            }
        }

        private List<String> commandLine() throws IOException {
            long qemu = ProcessHandle.current()
                    .children()
                    .filter(child -> child.info().command().orElse("").contains("qemu"))
                    .findFirst()
                    .orElseThrow(() -> new IllegalStateException("no QEMU among the children of this process"))
                    .pid();
            List<String> words = List.of(Files.readString(Path.of("/proc", Long.toString(qemu), "cmdline"), UTF_8)
                    .split("\0"));
            int pidfile = words.indexOf("-pidfile");
            String file = words.get(pidfile + 1);
            sandboxDirectory = file.substring(0, file.lastIndexOf('/'));
            return words;
        }

        Duration bare() throws IOException, InterruptedException {
            Path directory = Files.createTempDirectory("bench");
            try {
                List<String> moved = command.stream()
                        .map(word -> word.replace(sandboxDirectory, directory.toString())
                                // Where QEMU connects to the library, nobody listens here.
                                .replace("server=off", "server=on,wait=off"))
                        .toList();
                return BareBoot.run(moved, directory, directory.resolve("agent.sock"));
            } finally {
                try (Stream<Path> files = Files.list(directory)) {
                    for (Path file : files.toList()) {
                        Files.delete(file);
                    }
                }
                Files.delete(directory);
            }
        }
    }

    private static Duration fromExecToReply(Timeline timeline) {
        Timeline.Phase launch = phase(timeline, "qemu.launch");
        Timeline.Phase connect = phase(timeline, "agent.connect");
        return connect.start().plus(connect.duration()).minus(launch.start());
    }

    private static Timeline.Phase phase(Timeline timeline, String name) {
        return timeline.phases().stream()
                .filter(phase -> phase.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("no phase " + name + " in\n" + timeline));
    }

    private static void report(List<Duration> library, List<Duration> bare) throws IOException {
        Report report = new Report(
                "boot",
                "The library, and a bare script that starts the same QEMU and waits for the same reply, in turn.");
        report.add(Figure.of("boot: exec of QEMU to the agent's first reply", "ms", millis(library))
                .against("bare script", millis(bare))
                .ratioAtMost(TARGET));
        report.write();
    }

    private static List<Double> millis(List<Duration> times) {
        return times.stream().map(time -> time.toNanos() / 1e6).toList();
    }
}
