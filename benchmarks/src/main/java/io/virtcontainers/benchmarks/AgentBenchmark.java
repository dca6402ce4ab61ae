// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.virtcontainers.GuestProcess;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The agent and its channel: round trip of the smallest call, exec of {@code true}, throughput of standard output and
 * input. Each against something measured in the same run, and against the target in absolute terms, which holds for an
 * otherwise idle machine. Usage: {@code AgentBenchmark ROOTFS [MIB]}.
 */
public final class AgentBenchmark {
    private static final int WARM_UP = 200;
    private static final int CALLS = 1000;
    private static final int EXECS = 50;
    private static final int DEFAULT_MIB = 1024;
    private static final int PIECE = 256 << 10;

    private static final double TARGET_RPC_MS = 2;
    private static final double TARGET_EXEC_MS = 60;
    private static final double TARGET_MB_PER_S = 50;

    private final BenchMachine machine;
    private final Pattern pattern;
    private final int times;
    private final long bytes;
    private final Report report = new Report(
            "agent", "Calls to one machine, in turn with calls to its QEMU and to the host; streams of known bytes.");

    private AgentBenchmark(BenchMachine machine, Pattern pattern, int mib) {
        this.machine = machine;
        this.pattern = pattern;
        this.times = Math.max(1, mib / (Pattern.SIZE >> 20));
        this.bytes = (long) times * Pattern.SIZE;
    }

    public static void main(String[] args) throws Exception {
        Path rootfs = Path.of(args[0]).toAbsolutePath();
        int mib = args.length > 1 ? Integer.parseInt(args[1]) : DEFAULT_MIB;
        Pattern pattern = new Pattern();
        pattern.writeTo(rootfs.resolve("pattern"));
        try (BenchMachine machine = new BenchMachine(rootfs, cache())) {
            AgentBenchmark benchmark = new AgentBenchmark(machine, pattern, mib);
            benchmark.calls();
            benchmark.execs();
            benchmark.streams();
            benchmark.report.write();
        }
    }

    private static Path cache() {
        return Optional.ofNullable(System.getenv("VIRTCONTAINERS_CACHE"))
                .filter(path -> !path.isEmpty())
                .map(Path::of)
                .orElseGet(() -> Path.of(
                        Optional.ofNullable(System.getenv("XDG_CACHE_HOME")).orElse(System.getenv("HOME") + "/.cache"),
                        "virtcontainers"));
    }

    /** In turn, so that what else the machine does hits both. */
    private void calls() {
        List<Double> check = new ArrayList<>();
        List<Double> query = new ArrayList<>();
        for (int i = -WARM_UP; i < CALLS; i++) {
            double checked = millis(machine::check);
            double queried = millis(machine::queryHypervisor);
            if (i >= 0) {
                check.add(checked);
                query.add(queried);
            }
        }
        report.add(Figure.of("round trip of Check", "ms", check)
                .against("QMP query-status", query)
                .atMost(TARGET_RPC_MS));
    }

    private void execs() {
        List<Double> guest = new ArrayList<>();
        List<Double> host = new ArrayList<>();
        Duration before = Duration.ZERO;
        for (int i = -EXECS / 5; i < EXECS; i++) {
            if (i == 0) {
                before = machine.cpu();
            }
            double inGuest = millis(() -> expectSuccess(machine.exec("true")));
            double onHost = millis(AgentBenchmark::trueOnHost);
            if (i >= 0) {
                guest.add(inGuest);
                host.add(onHost);
            }
        }
        double cpu = machine.cpu().minus(before).toMillis() / (double) EXECS;
        report.add(Figure.of("exec of true in a running container, to its exit code", "ms", guest)
                .against("true on the host", host)
                .atMost(TARGET_EXEC_MS));
        report.add(Figure.of("exec of true: processor time of QEMU", "ms", cpu));
    }

    private void streams() throws IOException, InterruptedException {
        String wanted = pattern.sha256(times);
        double socket = megabytesPerSecond(SocketPipe.transfer(bytes));
        double stdout = stdout(wanted);
        report("stdout", "hashed on the host while it came, sha256 as the pattern's", stdout, socket);
        double stdin = stdin();
        report("stdin", "read in the guest and thrown away, not hashed", stdin, socket);
        long start = System.nanoTime();
        String seen = stdinHash();
        if (!seen.equals(wanted)) {
            throw new IllegalStateException("stdin arrived as " + seen + " instead of " + wanted);
        }
        System.out.printf(
                Locale.ROOT,
                "stdin once more into sha256sum in the guest: same sha256 (%.0f MB/s, bounded by the hashing)%n",
                megabytesPerSecond(Duration.ofNanos(System.nanoTime() - start)));
    }

    private void report(String stream, String what, double rate, double socket) {
        report.add(Figure.of(stream + ", " + (bytes >> 20) + " MiB, " + what, "MB/s", rate)
                .against("a unix socket in one JVM", List.of(socket))
                .atLeast(TARGET_MB_PER_S));
    }

    /** A file in the guest's page cache, so that its producer costs next to nothing. */
    private double stdout(String wanted) throws IOException {
        readPattern(1);
        Duration cpu = machine.cpu();
        long start = System.nanoTime();
        String seen = readPattern(times);
        Duration time = Duration.ofNanos(System.nanoTime() - start);
        if (!seen.equals(wanted)) {
            throw new IllegalStateException("stdout arrived as " + seen + " instead of " + wanted);
        }
        tellCpu(cpu, time);
        return megabytesPerSecond(time);
    }

    private String readPattern(int count) throws IOException {
        List<String> command = new ArrayList<>(List.of("cat"));
        command.addAll(Collections.nCopies(count, "/pattern"));
        GuestProcess cat = machine.exec(command.toArray(String[]::new));
        MessageDigest digest = Pattern.digest();
        byte[] piece = new byte[PIECE];
        try (InputStream output = cat.stdout()) {
            for (int n = output.read(piece); n >= 0; n = output.read(piece)) {
                digest.update(piece, 0, n);
            }
        }
        expectSuccess(cat);
        return Pattern.hex(digest);
    }

    private double stdin() throws IOException {
        Duration cpu = machine.cpu();
        long start = System.nanoTime();
        GuestProcess sink = machine.exec("sh", "-c", "exec cat > /dev/null");
        feed(sink);
        expectSuccess(sink);
        Duration time = Duration.ofNanos(System.nanoTime() - start);
        tellCpu(cpu, time);
        return megabytesPerSecond(time);
    }

    private String stdinHash() throws IOException {
        GuestProcess hash = machine.exec("sha256sum");
        feed(hash);
        String line = new String(hash.stdout().readAllBytes(), US_ASCII);
        expectSuccess(hash);
        return line.substring(0, Math.min(64, line.length()));
    }

    private void feed(GuestProcess process) throws IOException {
        try (OutputStream input = process.stdin()) {
            for (int i = 0; i < times; i++) {
                input.write(pattern.bytes());
            }
        }
    }

    private void tellCpu(Duration before, Duration time) {
        System.out.printf(
                Locale.ROOT,
                "  QEMU had %.1f s of processor time in %.1f s%n",
                machine.cpu().minus(before).toMillis() / 1e3,
                time.toMillis() / 1e3);
    }

    private static void expectSuccess(GuestProcess process) {
        int code = process.waitFor(Duration.ofMinutes(5)).code();
        if (code != 0) {
            throw new IllegalStateException(process + " ended with code " + code);
        }
    }

    private static void trueOnHost() {
        try {
            new ProcessBuilder("true").start().waitFor();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private double megabytesPerSecond(Duration time) {
        return bytes / 1e6 / (time.toNanos() / 1e9);
    }

    private static double millis(Runnable action) {
        long start = System.nanoTime();
        action.run();
        return (System.nanoTime() - start) / 1e6;
    }
}
