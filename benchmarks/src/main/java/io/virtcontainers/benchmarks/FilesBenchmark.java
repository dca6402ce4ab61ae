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
import io.virtcontainers.SharedFsConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.testkit.GenericKernel;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * The throughput of the ways by which a container gets files, each against the same QEMU started by a bare script
 * ({@link BareFiles}), in turn in one run; and against a plain ext4 disk in the same guest. Needs root, for virtio-fs and 9p.
 * Usage: {@code FilesBenchmark ROOTFS [MIB [ROUNDS]]}.
 */
public final class FilesBenchmark {
    private static final int MIB = 128;
    private static final int ROUNDS = 5;
    private static final String DROP = "sync; echo 3 > /proc/sys/vm/drop_caches; ";
    private static final String BARE = "the same QEMU by hand";
    private static final String EXT4 = "reading an ext4 disk";

    /** A sandbox that shares files in one way, what runs in its container, and the bare script of the same machine. */
    private record Way(
            String name, String modules, String mount, Sandbox sandbox, Container container, BareFiles bare) {}

    private final int mib;
    private final Map<String, List<Double>> rates = new HashMap<>();

    private FilesBenchmark(int mib) {
        this.mib = mib;
    }

    public static void main(String[] args) throws Exception {
        int mib = args.length > 1 ? Integer.parseInt(args[1]) : MIB;
        int rounds = args.length > 2 ? Integer.parseInt(args[2]) : ROUNDS;
        Path directory = Files.createTempDirectory("vcb-files");
        try (VirtContainers vc = VirtContainers.open()) {
            Path rootfs = Path.of(args[0]).toAbsolutePath();
            FilesBenchmark benchmark = new FilesBenchmark(mib);
            Path data = Files.createDirectory(directory.resolve("data"));
            random(data.resolve("file"), mib);
            int msize = SharedFsConfig.defaults().msize9p();
            try (Sandbox virtioFs = sandbox(vc, "virtio-fs", SharedFs.VIRTIO_FS);
                    Sandbox plan9 = sandbox(vc, "9p", SharedFs.VIRTIO_9P)) {
                List<Way> ways = List.of(
                        way("virtio-fs", "-t virtiofs", virtioFs, rootfs, directory, mib),
                        way(
                                "9p",
                                "-t 9p -o trans=virtio,version=9p2000.L,cache=mmap,msize=" + msize,
                                plan9,
                                rootfs,
                                directory,
                                mib));
                for (int i = 0; i < rounds; i++) {
                    for (Way way : ways) {
                        benchmark.round(way, /* libraryFirst= */ i % 2 == 0);
                    }
                }
            }
            benchmark.report();
        } finally {
            try (Stream<Path> files = Files.walk(directory).sorted(Comparator.reverseOrder())) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private static Sandbox sandbox(VirtContainers vc, String id, SharedFs type) {
        return vc.run(SandboxConfig.builder(id)
                .hypervisor(HypervisorConfig.builder()
                        .kernel(GenericKernel.find())
                        .sharedFs(type)
                        .build())
                .build());
    }

    private static Way way(String name, String mount, Sandbox sandbox, Path rootfs, Path directory, int mib)
            throws IOException, InterruptedException {
        // Before disks are plugged in, which are not on the command line.
        List<String> qemu = BareFiles.commandLine(name);
        Path data = directory.resolve("data");
        Path image = directory.resolve("data.erofs");
        if (!Files.exists(image)) {
            make("mkfs.erofs", "--quiet", image.toString(), data.toString());
        }
        Path disk = directory.resolve(name + ".img");
        make("mke2fs", "-q", "-t", "ext4", "-d", rootfs.toString(), disk.toString(), (3L * mib + 64) + "M");
        Path bareDisk = directory.resolve(name + "-bare.img");
        make("mke2fs", "-q", "-t", "ext4", bareDisk.toString(), (3L * mib + 64) + "M");
        Container container = sandbox.createContainer(ContainerConfig.builder("c")
                .rootfs(RootFs.disk(disk, "ext4"))
                .command("sleep", "1000000")
                .mounts(
                        new Mount.Shared(data, GuestPath.of("/live"), false),
                        new Mount.Bind(data, GuestPath.of("/copy"), true))
                .spec("{\"ociVersion\": \"1.0.2\", \"mounts\": [{\"destination\": \"/proc\", \"type\": \"proc\","
                        + " \"source\": \"proc\"}], \"linux\": {\"namespaces\": [{\"type\": \"mount\"}]}}")
                .build());
        container.start();
        double unused = seconds(container, "mkdir /disk; cp /copy/file /disk/file");
        return new Way(
                name,
                name,
                mount,
                sandbox,
                container,
                new BareFiles(qemu, data, image, bareDisk, rootfs.resolve("bin/busybox")));
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

    private static Map<String, String> commands() {
        Map<String, String> commands = new LinkedHashMap<>();
        commands.put("ext4-read", read("/disk/file"));
        commands.put("ext4-write", write("/disk/written"));
        commands.put("erofs-read", read("/copy/file"));
        commands.put("live-read", read("/live/file"));
        commands.put("live-write", write("/live/written"));
        return commands;
    }

    private static String read(String file) {
        return "dd if=" + file + " of=/dev/null bs=1M 2> /dev/null";
    }

    private static String write(String file) {
        return "dd if=/disk/file of=" + file + " bs=1M conv=fsync 2> /dev/null";
    }

    /** The machine of the other side is idle meanwhile, or not there. */
    private void round(Way way, boolean libraryFirst) throws IOException, InterruptedException {
        for (boolean library : new boolean[] {libraryFirst, !libraryFirst}) {
            if (library) {
                for (Map.Entry<String, String> command : commands().entrySet()) {
                    add(way, "library", command.getKey(), seconds(way.container(), command.getValue()));
                }
            } else {
                way.bare()
                        .run(way.modules(), way.mount(), commands())
                        .forEach((name, time) -> add(way, "bare", name, time));
            }
        }
        System.out.println(way.name() + " " + rates);
    }

    private void add(Way way, String side, String command, double seconds) {
        rates.computeIfAbsent(way.name() + " " + side + " " + command, key -> new ArrayList<>())
                .add(mib / seconds);
    }

    private List<Double> rates(String way, String side, String command) {
        return rates.getOrDefault(way + " " + side + " " + command, List.of());
    }

    private void report() throws IOException {
        Report report = new Report(
                "files",
                "A file of " + mib + " MiB in one container, with empty caches of the guest, against the same QEMU,"
                        + " virtiofsd and kernel started by a bare script whose init is a busybox in a memory cgroup, as"
                        + " containers are (without one it read a sixth faster by virtio-fs, in one run), in turn; all with"
                        + " Debian's generic kernel, as the cloud kernel has no 9p.");
        for (String way : List.of("virtio-fs", "9p")) {
            against(report, "reading an EROFS copy, beside " + way, way, "erofs-read");
            against(report, "reading live by " + way, way, "live-read");
            against(report, "writing live by " + way, way, "live-write");
            report.add(Figure.of("files: reading live by " + way, "MiB/s", rates(way, "library", "live-read"))
                    .against(EXT4, rates(way, "library", "ext4-read")));
            report.add(Figure.of("files: writing live by " + way, "MiB/s", rates(way, "library", "live-write"))
                    .against("writing an ext4 disk", rates(way, "library", "ext4-write")));
        }
        report.add(Figure.of("files: reading an EROFS copy", "MiB/s", rates("virtio-fs", "library", "erofs-read"))
                .against(EXT4, rates("virtio-fs", "library", "ext4-read")));
        report.write();
    }

    private void against(Report report, String what, String way, String command) throws IOException {
        report.add(Figure.of("files: " + what, "MiB/s", rates(way, "library", command))
                .against(BARE, rates(way, "bare", command)));
    }

    /** By the guest's own clock, without the start of the shell. */
    private static double seconds(Container container, String command) throws IOException {
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
