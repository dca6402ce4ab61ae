// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** What is measured of this host, of this Java process, and of machines' processes. */
final class Machine {
    private Machine() {}

    static double load() {
        return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
    }

    /** What a process has of its memory: a field of {@code smaps_rollup}, in MiB. */
    static double mebibytes(long pid, String field) throws IOException {
        return Files.readAllLines(Path.of("/proc", Long.toString(pid), "smaps_rollup")).stream()
                        .filter(line -> line.startsWith(field + ":"))
                        .mapToDouble(line -> Double.parseDouble(line.replaceAll("[^0-9]", "")))
                        .sum()
                / 1024;
    }

    /** What a process shares with nobody (USS), in MiB. */
    static double unique(long pid) throws IOException {
        return mebibytes(pid, "Private_Clean") + mebibytes(pid, "Private_Dirty");
    }

    /** What a process has of memory, shared pages by their share (PSS), in MiB. */
    static double proportional(long pid) throws IOException {
        return mebibytes(pid, "Pss");
    }

    /** The heap of this Java process after a collection, in bytes. */
    static long heap() throws InterruptedException {
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 4; i++) {
            System.gc();
            TimeUnit.MILLISECONDS.sleep(100); // references are cleared by threads of the JVM
            least = Math.min(
                    least,
                    ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
        }
        return least;
    }

    static int threads() {
        return ManagementFactory.getThreadMXBean().getThreadCount();
    }

    static long openFiles() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.count();
        }
    }

    /** Of processors, memory, kernel, hypervisor and Java, for a reader. */
    static String told() throws IOException, InterruptedException {
        String model = Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                .filter(line -> line.startsWith("model name"))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst()
                .orElse("unknown");
        String memory = Files.readAllLines(Path.of("/proc/meminfo")).get(0).replaceAll("[^0-9]", "");
        return Runtime.getRuntime().availableProcessors() + " processors (" + model + "), "
                + Long.parseLong(memory) / (1 << 20) + " GiB of memory, Linux "
                + System.getProperty("os.version") + ", " + firstLine("qemu-system-x86_64", "--version") + ", Java "
                + Runtime.version().feature();
    }

    private static String firstLine(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        process.waitFor();
        return text.lines().findFirst().orElse("unknown").replaceAll(" \\(.*", "");
    }
}
