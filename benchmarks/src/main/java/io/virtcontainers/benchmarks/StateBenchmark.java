// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * {@code kata-runtime state} of a running container against {@code crun state} of one, in turn: wall time and processor time of
 * the command. Against runc where crun refuses the host, for cgroups of both versions at once. Needs root. Usage: {@code
 * StateBenchmark ROOTFS [PAIRS]}.
 */
public final class StateBenchmark {
    private static final int PAIRS = 20;
    private static final double TARGET_MS = 150;
    private static final double TICK_MS = 10; // USER_HZ of proc(5) is 100 on Linux
    private static final int CHILD_USER_TIME = 15;
    private static final int CHILD_SYSTEM_TIME = 16;
    private static final String ID = "bench-state";

    private final Path directory;
    private final List<String> kata;

    private StateBenchmark(Path directory) {
        this.directory = directory;
        this.kata = List.of(Path.of("bin/kata-runtime").toAbsolutePath().toString(), "--root", directory + "/kata");
    }

    public static void main(String[] args) throws Exception {
        int pairs = args.length > 1 ? Integer.parseInt(args[1]) : PAIRS;
        Path directory = Files.createTempDirectory("vcb");
        try {
            new StateBenchmark(directory).run(Path.of(args[0]), pairs);
        } finally {
            try (Stream<Path> files = Files.walk(directory).sorted(Comparator.reverseOrder())) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private void run(Path rootfs, int pairs) throws Exception {
        Path bundle = Files.createDirectory(directory.resolve("bundle"));
        call(
                List.of(
                        "cp",
                        "-a",
                        rootfs.toAbsolutePath().toString(),
                        bundle.resolve("rootfs").toString()),
                List.of());
        call(kata, List.of("spec", "--bundle", bundle.toString()));
        sleeping(bundle.resolve("config.json"));
        Report report = new Report("state", "The state of one running container each, asked in turn.");
        List<String> create = List.of("create", "--bundle", bundle.toString(), ID);
        List<Double> wall = new ArrayList<>();
        List<Double> wallOfOther = new ArrayList<>();
        double processor = 0;
        double processorOfOther = 0;
        List<String> other = other(create);
        try {
            call(kata, create);
            for (List<String> runtime : List.of(kata, other)) {
                call(runtime, List.of("start", ID));
                call(runtime, List.of("state", ID)); // a first time, for the caches of files
            }
            for (int i = 0; i < pairs; i++) {
                double before = childrenMillis();
                wall.add(call(kata, List.of("state", ID)));
                double between = childrenMillis();
                wallOfOther.add(call(other, List.of("state", ID)));
                processor += between - before;
                processorOfOther += childrenMillis() - between;
            }
        } finally {
            for (List<String> runtime : List.of(kata, other)) {
                call(runtime, List.of("delete", "--force", ID));
            }
        }
        String name = other.get(0) + " state";
        report.add(Figure.of("state: wall time of kata-runtime state", "ms", wall)
                .against(name, wallOfOther)
                .atMost(TARGET_MS));
        report.add(Figure.of("state: processor time of kata-runtime state, mean", "ms", processor / pairs)
                .against(name, List.of(Math.max(TICK_MS / pairs, processorOfOther / pairs))));
        report.write();
    }

    /** The runtime that can make such a container here, which it has made then. */
    private List<String> other(List<String> create) throws IOException, InterruptedException {
        List<String> crun = List.of("crun", "--cgroup-manager=disabled", "--root", directory + "/crun");
        try {
            call(crun, create);
            return crun;
        } catch (IllegalStateException refused) {
            System.out.println(refused.getMessage());
            List<String> runc = List.of("runc", "--root", directory + "/runc");
            call(runc, create);
            return runc;
        }
    }

    private static void sleeping(Path config) throws IOException {
        JsonMapper json = JsonMapper.builder().build();
        ObjectNode spec = (ObjectNode) json.readTree(config.toFile());
        ObjectNode process = (ObjectNode) spec.get("process");
        process.put("terminal", false);
        process.putArray("args").add("sleep").add("1000000");
        json.writeValue(config.toFile(), spec);
    }

    /** Milliseconds until its end. */
    private double call(List<String> runtime, List<String> arguments) throws IOException, InterruptedException {
        List<String> command =
                Stream.concat(runtime.stream(), arguments.stream()).toList();
        File output = directory.resolve("output").toFile();
        long start = System.nanoTime();
        Process process = new ProcessBuilder(command)
                .redirectInput(new File("/dev/null"))
                .redirectErrorStream(true)
                .redirectOutput(output)
                .start();
        int code = process.waitFor();
        double millis = (System.nanoTime() - start) / 1e6;
        if (code != 0) {
            throw new IllegalStateException(
                    String.join(" ", command) + ": " + Files.readString(output.toPath(), StandardCharsets.UTF_8));
        }
        return millis;
    }

    /** The processor time of the children of this process that have ended, proc(5). */
    private static double childrenMillis() throws IOException {
        String stat = Files.readString(Path.of("/proc/self/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        int offset = 2; // the pid and the name are before
        long ticks =
                Long.parseLong(fields[CHILD_USER_TIME - offset]) + Long.parseLong(fields[CHILD_SYSTEM_TIME - offset]);
        return ticks * TICK_MS;
    }
}
