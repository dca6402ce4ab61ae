// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The bare script that files are measured against: starts the same QEMU with the same arguments and kernel, and virtiofsd if
 * it takes part, without the library. A busybox is the guest's init: it mounts what there is, runs commands in a cgroup as
 * every container does, whose account of memory costs a sixth, and prints the times on the console.
 */
final class BareFiles {
    private static final int BOOT_SECONDS = 300;
    private static final String TIME = "TIME ";

    private final List<String> qemu;
    private final String sandboxDirectory;
    private final Path data;
    private final Path image;
    private final Path disk;
    private final Path busybox;

    /**
     * @param qemu the command line of a machine of the library that shares files and has no disks
     * @param data the directory to share
     * @param image an EROFS image of it
     * @param disk an ext4 disk that can be written
     */
    BareFiles(List<String> qemu, Path data, Path image, Path disk, Path busybox) {
        this.qemu = qemu;
        String pidFile = qemu.get(qemu.indexOf("-pidfile") + 1);
        this.sandboxDirectory = pidFile.substring(0, pidFile.lastIndexOf('/'));
        this.data = data;
        this.image = image;
        this.disk = disk;
        this.busybox = busybox;
    }

    /** The command line of the child of this process that is the machine of this sandbox. */
    static List<String> commandLine(String sandboxId) throws IOException {
        for (ProcessHandle child : ProcessHandle.current().children().toList()) {
            List<String> words =
                    List.of(Files.readString(Path.of("/proc", Long.toString(child.pid()), "cmdline"), UTF_8)
                            .split("\0"));
            if (words.contains("sandbox-" + sandboxId)) {
                return words;
            }
        }
        throw new IllegalStateException("no QEMU of " + sandboxId + " among the children of this process");
    }

    /**
     * Boots once.
     *
     * @param share how the guest mounts it: the list of its modules, and options of mount(8)
     * @param commands by name
     * @return their seconds, by the guest's clock
     */
    Map<String, Double> run(String modules, String share, Map<String, String> commands)
            throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("vcb");
        List<Process> daemons = new ArrayList<>();
        try {
            if (qemu.stream().anyMatch(word -> word.contains("vhost-user-fs"))) {
                daemons.add(start(
                        directory,
                        List.of(
                                virtiofsd(),
                                "--socket-path=" + directory.resolve("share.sock"),
                                "-f",
                                "-o",
                                "source=" + data,
                                "-o",
                                "cache=auto")));
                while (!Files.exists(directory.resolve("share.sock"))) {
                    if (!daemons.get(0).isAlive()) {
                        throw new IOException("virtiofsd ended: " + Files.readString(directory.resolve("log")));
                    }
                    Thread.sleep(1);
                }
            }
            Path console = directory.resolve("console");
            Process machine = start(directory, moved(directory, initrd(directory, modules, share, commands), console));
            daemons.add(machine);
            if (!machine.waitFor(BOOT_SECONDS, TimeUnit.SECONDS)) {
                throw new IOException("the bare guest does not end: " + Files.readString(console));
            }
            return times(console, directory.resolve("log"), commands);
        } finally {
            for (Process process : daemons) {
                process.destroyForcibly().waitFor();
            }
            try (Stream<Path> files = Files.list(directory)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(directory);
        }
    }

    private static String virtiofsd() {
        for (String place : List.of("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd")) {
            if (Files.isExecutable(Path.of(place))) {
                return place;
            }
        }
        throw new IllegalStateException("there is no virtiofsd");
    }

    private static Process start(Path directory, List<String> command) throws IOException {
        return new ProcessBuilder(command)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        directory.resolve("log").toFile()))
                .start();
    }

    /** The command line with paths in this directory, the share as it is, and the two disks. */
    private List<String> moved(Path directory, Path initrd, Path console) {
        List<String> line = new ArrayList<>();
        for (String word : qemu) {
            if (word.startsWith("socket,id=console,")) {
                line.add("file,id=console,path=" + console);
            } else {
                line.add(word.replace(sandboxDirectory + "/shared", data.toString())
                        .replace(sandboxDirectory, directory.toString())
                        // Where QEMU connects to the library, nobody listens here.
                        .replace(
                                "server=off,path=" + directory.resolve("qmp"),
                                "server=on,wait=off,path=" + directory.resolve("qmp")));
            }
        }
        line.set(line.indexOf("-initrd") + 1, initrd.toString());
        for (String drive : List.of("id=copy,readonly=on,file=" + image, "id=disk,file=" + disk)) {
            line.addAll(List.of("-drive", "if=none,format=raw,discard=unmap," + drive));
        }
        line.addAll(List.of("-device", "virtio-blk-pci,drive=copy,disable-legacy=on"));
        line.addAll(List.of("-device", "virtio-blk-pci,drive=disk,disable-legacy=on"));
        return line;
    }

    /** The library's, for its modules, and behind it an archive whose files take the places of those. */
    private Path initrd(Path directory, String modules, String share, Map<String, String> commands)
            throws IOException, InterruptedException {
        Path tree = Files.createTempDirectory("vcb-init");
        Path made = directory.resolve("initrd");
        Files.copy(Path.of(qemu.get(qemu.indexOf("-initrd") + 1)), made, StandardCopyOption.REPLACE_EXISTING);
        try {
            Path init = Files.writeString(tree.resolve("init"), script(modules, share, commands));
            Path shell = Files.copy(busybox, tree.resolve("busybox"));
            boolean unused = init.toFile().setExecutable(true) && shell.toFile().setExecutable(true);
            Process cpio = new ProcessBuilder(busybox.toString(), "cpio", "-o", "-H", "newc")
                    .directory(tree.toFile())
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(made.toFile()))
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            try (OutputStream names = cpio.getOutputStream()) {
                names.write("init\nbusybox\n".getBytes(UTF_8));
            }
            if (cpio.waitFor() != 0) {
                throw new IOException("busybox cpio failed");
            }
            return made;
        } finally {
            Files.delete(tree.resolve("init"));
            Files.delete(tree.resolve("busybox"));
            Files.delete(tree);
        }
    }

    private static String script(String modules, String share, Map<String, String> commands) {
        StringBuilder script = new StringBuilder("""
                #!/busybox sh
                /busybox mkdir -p /bin /proc /sys /dev /live /copy /disk
                /busybox --install -s /bin
                export PATH=/bin
                mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
                for list in boot later ext4 %s; do for m in $(cat /etc/virtcontainers/modules.$list); do insmod $m; done; done
                while [ ! -b /dev/vdb ]; do sleep 0.01; done
                mount -t erofs -o ro /dev/vda /copy; mount -t ext4 /dev/vdb /disk; mount %s kataShared /live
                cp /copy/file /disk/file
                mount -t cgroup2 cgroup /sys/fs/cgroup; echo +memory > /sys/fs/cgroup/cgroup.subtree_control
                mkdir /sys/fs/cgroup/c; echo $$ > /sys/fs/cgroup/c/cgroup.procs
                """.formatted(modules, share));
        commands.forEach((name, command) -> script.append("sync; echo 3 > /proc/sys/vm/drop_caches\n")
                .append("a=$(cut -d' ' -f1 /proc/uptime); ")
                .append(command)
                .append(" && b=$(cut -d' ' -f1 /proc/uptime) && echo ")
                .append(TIME)
                .append(name)
                .append(" $a $b > /dev/console\n"));
        return script.append("sync; poweroff -f\n").toString();
    }

    private static Map<String, Double> times(Path console, Path log, Map<String, String> commands) throws IOException {
        Map<String, Double> seconds = new HashMap<>();
        String printed = Files.readString(console);
        for (String line : printed.lines().map(String::strip).toList()) {
            if (line.startsWith(TIME)) {
                String[] words = line.split(" ", 4);
                seconds.put(words[1], Math.max(0.01, Double.parseDouble(words[3]) - Double.parseDouble(words[2])));
            }
        }
        if (!seconds.keySet().equals(commands.keySet())) {
            throw new IOException("the bare guest has run " + seconds.keySet() + " of " + commands.keySet() + ": "
                    + printed + Files.readString(log));
        }
        return seconds;
    }
}
