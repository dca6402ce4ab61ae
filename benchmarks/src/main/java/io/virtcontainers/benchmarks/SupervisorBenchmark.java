// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the supervisors of one and of ten containers of a pod take of the host's memory: their share (PSS of proc(5)), and what
 * is theirs alone. Needs root. Usage: {@code SupervisorBenchmark ROOTFS [CONTAINERS]}.
 */
public final class SupervisorBenchmark {
    private static final int CONTAINERS = 10;
    private static final String POD = "bench-0";

    private final JsonMapper json = JsonMapper.builder().build();
    private final Path directory;
    private final List<String> kata;

    private SupervisorBenchmark(Path directory) {
        this.directory = directory;
        this.kata = List.of(Path.of("bin/kata-runtime").toAbsolutePath().toString(), "--root", directory + "/kata");
    }

    public static void main(String[] args) throws Exception {
        int containers = args.length > 1 ? Integer.parseInt(args[1]) : CONTAINERS;
        Path directory = Files.createTempDirectory("vcb");
        try {
            new SupervisorBenchmark(directory).run(Path.of(args[0]).toAbsolutePath(), containers);
        } finally {
            try (Stream<Path> files = Files.walk(directory).sorted(Comparator.reverseOrder())) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private void run(Path rootfs, int containers) throws Exception {
        Report report = new Report("supervisor", "The supervisors of one pod, each with a running container.");
        List<Long> pids = new ArrayList<>();
        try {
            for (int i = 0; i < containers; i++) {
                pids.add(start("bench-" + i, rootfs));
                if (i == 0) {
                    report.add(Figure.of("supervisor: share of memory, of one alone (PSS)", "MiB", mib("Pss:", pids)));
                }
            }
            report.add(Figure.of(
                    "supervisor: share of memory, of " + containers + " each (PSS)", "MiB", mib("Pss:", pids)));
            report.add(Figure.of("supervisor: its own memory alone (USS)", "MiB", mib("Private_", pids)));
        } finally {
            for (int i = pids.size() - 1; i >= 0; i--) {
                call(List.of("delete", "--force", "bench-" + i));
            }
        }
        report.write();
    }

    /** @return the supervisor's pid */
    private long start(String id, Path rootfs) throws IOException, InterruptedException {
        Path bundle = Files.createDirectory(directory.resolve(id));
        call(List.of("spec", "--bundle", bundle.toString()));
        File config = bundle.resolve("config.json").toFile();
        ObjectNode spec = (ObjectNode) json.readTree(config);
        ((ObjectNode) spec.get("process"))
                .put("terminal", false)
                .putArray("args")
                .add("sleep")
                .add("1000000");
        ((ObjectNode) spec.get("root")).put("path", rootfs.toString());
        spec.putObject("annotations")
                .put("io.kubernetes.cri.container-type", id.equals(POD) ? "sandbox" : "container")
                .put("io.kubernetes.cri.sandbox-id", POD);
        json.writeValue(config, spec);
        Path pid = directory.resolve(id + ".pid");
        call(List.of("create", "--bundle", bundle.toString(), "--pid-file", pid.toString(), id));
        call(List.of("start", id));
        return Long.parseLong(Files.readString(pid));
    }

    /** The sum of the lines of smaps_rollup that begin so, for each process. */
    private static List<Double> mib(String line, List<Long> pids) throws IOException {
        List<Double> all = new ArrayList<>();
        for (long pid : pids) {
            long kib = 0;
            for (String text : Files.readAllLines(Path.of("/proc/" + pid + "/smaps_rollup"))) {
                if (text.startsWith(line) && !text.startsWith("Private_Hugetlb")) {
                    kib += Long.parseLong(text.replaceAll("[^0-9]", ""));
                }
            }
            all.add(kib / 1024.0);
        }
        return all;
    }

    private void call(List<String> arguments) throws IOException, InterruptedException {
        List<String> command = Stream.concat(kata.stream(), arguments.stream()).toList();
        File output = directory.resolve("output").toFile();
        Process process = new ProcessBuilder(command)
                .redirectInput(new File("/dev/null"))
                .redirectErrorStream(true)
                .redirectOutput(output)
                .start();
        if (process.waitFor() != 0) {
            throw new IllegalStateException(String.join(" ", command) + ": " + Files.readString(output.toPath()));
        }
    }
}
