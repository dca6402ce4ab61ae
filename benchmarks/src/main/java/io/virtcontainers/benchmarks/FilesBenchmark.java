// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import io.virtcontainers.Capabilities;
import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestPath;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.Mount;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.VirtContainers;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/**
 * The throughput of the ways by which a container gets files, each against a plain ext4 disk in the same guest, in turn in
 * one run. Needs root, for virtio-fs. Usage: {@code FilesBenchmark ROOTFS [MIB [ROUNDS]]}.
 */
public final class FilesBenchmark {
    private static final int MIB = 64;
    private static final int ROUNDS = 7;
    private static final String DROP = "sync; echo 3 > /proc/sys/vm/drop_caches; ";

    private final Container container;
    private final int mib;

    private FilesBenchmark(Container container, int mib) {
        this.container = container;
        this.mib = mib;
    }

    public static void main(String[] args) throws Exception {
        int mib = args.length > 1 ? Integer.parseInt(args[1]) : MIB;
        int rounds = args.length > 2 ? Integer.parseInt(args[2]) : ROUNDS;
        Path directory = Files.createTempDirectory("vcb-files");
        try (VirtContainers vc = VirtContainers.open()) {
            Path data = Files.createDirectory(directory.resolve("data"));
            random(data.resolve("file"), mib);
            Path disk = directory.resolve("disk.img");
            make("mke2fs", "-q", "-t", "ext4", "-d", args[0], disk.toString(), (3L * mib + 64) + "M");
            HypervisorConfig settings =
                    HypervisorConfig.builder().sharedFs(SharedFs.VIRTIO_FS).build();
            try (Sandbox sandbox =
                    vc.run(SandboxConfig.builder("files").hypervisor(settings).build())) {
                Container container = sandbox.createContainer(ContainerConfig.builder("c")
                        .rootfs(RootFs.disk(disk, "ext4"))
                        .command("sleep", "1000000")
                        .mounts(
                                new Mount.Shared(data, GuestPath.of("/live"), false),
                                new Mount.Bind(data, GuestPath.of("/copy"), true))
                        .spec(
                                "{\"ociVersion\": \"1.0.2\", \"mounts\": [{\"destination\": \"/proc\", \"type\": \"proc\","
                                        + " \"source\": \"proc\"}], \"linux\": {\"namespaces\": [{\"type\": \"mount\"}]}}")
                        .build());
                container.start();
                new FilesBenchmark(container, mib).run(rounds);
            }
        } finally {
            try (Stream<Path> files = Files.walk(directory).sorted(Comparator.reverseOrder())) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private static void random(Path file, int mib) throws IOException {
        Random random = new Random(1);
        byte[] part = new byte[1 << 20];
        try (OutputStream out = Files.newOutputStream(file)) {
            for (int i = 0; i < mib; i++) {
                random.nextBytes(part);
                out.write(part);
            }
        }
    }

    private static void make(String... command) throws IOException, InterruptedException {
        if (new ProcessBuilder(command).inheritIO().start().waitFor() != 0) {
            throw new IllegalStateException(String.join(" ", command) + " failed");
        }
    }

    private void run(int rounds) throws IOException {
        Report report = new Report(
                "files",
                "A file of " + mib + " MiB in one container, with empty caches of the guest; each way and a plain ext4"
                        + " disk (virtio-blk) in turn. No code of the library is in these paths: it is QEMU, virtiofsd and"
                        + " the guest's kernel.");
        seconds("cp /copy/file /disk");
        List<Double> disk = new ArrayList<>();
        List<Double> copy = new ArrayList<>();
        List<Double> live = new ArrayList<>();
        List<Double> diskWritten = new ArrayList<>();
        List<Double> liveWritten = new ArrayList<>();
        for (int i = 0; i < rounds; i++) {
            disk.add(read("/disk"));
            copy.add(read("/copy/file"));
            live.add(read("/live/file"));
            diskWritten.add(write("/written"));
            liveWritten.add(write("/live/written"));
        }
        report.add(Figure.of("files: reading an EROFS copy", "MiB/s", copy).against("reading an ext4 disk", disk));
        report.add(Figure.of("files: reading live by virtio-fs", "MiB/s", live).against("reading an ext4 disk", disk));
        report.add(Figure.of("files: writing live by virtio-fs", "MiB/s", liveWritten)
                .against("writing an ext4 disk", diskWritten));
        report.write();
    }

    private double read(String file) throws IOException {
        return mib / seconds("cat " + file + " > /dev/null");
    }

    private double write(String file) throws IOException {
        return mib / seconds("dd if=/disk of=" + file + " bs=1M conv=fsync 2> /dev/null");
    }

    /** By the guest's own clock, without the start of the shell. */
    private double seconds(String command) throws IOException {
        String script = DROP + "a=$(cut -d' ' -f1 /proc/uptime); " + command + " || exit 1;"
                + " b=$(cut -d' ' -f1 /proc/uptime); echo $a $b";
        GuestProcess process = container.exec(ProcessConfig.builder("sh", "-c", script)
                .capabilities(Capabilities.of("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"))
                .build());
        String text = new String(process.stdout().readAllBytes(), StandardCharsets.US_ASCII).strip();
        if (process.waitFor(Duration.ofMinutes(5)).code() != 0) {
            throw new IllegalStateException(
                    command + " failed: " + new String(process.stderr().readAllBytes(), StandardCharsets.US_ASCII));
        }
        String[] times = text.split(" ", 2);
        return Math.max(0.01, Double.parseDouble(times[1]) - Double.parseDouble(times[0]));
    }
}
