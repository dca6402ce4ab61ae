// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.testkit.BusyboxRootFs;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

/** What the tests on real virtual machines share: a state directory of their own and a root file system. */
final class VmFixture implements AutoCloseable {
    static final Duration SOON = Duration.ofSeconds(60);

    final Path state;
    final Path rootfs;
    final VirtContainers vc;

    VmFixture(Path directory) throws IOException {
        // Not below the given directory: sockets need a short path.
        state = Files.createTempDirectory("vct");
        rootfs = BusyboxRootFs.create(directory.resolve("busybox"));
        vc = VirtContainers.builder().stateDirectory(state).open();
    }

    Sandbox sandbox(String id) {
        return vc.run(SandboxConfig.builder(id).memory(MemorySize.mib(256)).build());
    }

    Container container(Sandbox sandbox, String id, String... command) {
        return sandbox.createContainer(ContainerConfig.builder(id)
                .rootfs(RootFs.directory(rootfs))
                .command(command)
                .build());
    }

    /** Starts the container and reads all that it prints. */
    static String output(Container container) throws IOException {
        container.start();
        container.process().stdin().close();
        return new String(container.process().stdout().readAllBytes(), UTF_8);
    }

    static String output(GuestProcess process) throws IOException {
        return new String(process.stdout().readAllBytes(), UTF_8);
    }

    /** A container that runs, and does nothing. */
    Container sleeping(Sandbox sandbox, String id, Mount... mounts) {
        Container container = sandbox.createContainer(ContainerConfig.builder(id)
                .rootfs(RootFs.directory(rootfs))
                .command("sleep", "100000")
                .mounts(mounts)
                .build());
        container.start();
        return container;
    }

    /** What a script in a container prints, its errors too, without the white space around it. */
    static String allOutput(Container container, String script) throws IOException {
        return shell(container, "{ " + script + "; } 2>&1");
    }

    /** What a script in a container prints, without the white space around it. */
    static String shell(Container container, String script) throws IOException {
        GuestProcess process = container.exec(ProcessConfig.of("sh", "-c", script));
        process.stdin().close();
        return output(process).strip();
    }

    /** The processes of this user whose command line has the text. */
    static List<Long> processesWith(String text) {
        try (Stream<Path> processes = Files.list(Path.of("/proc"))) {
            return processes
                    .filter(path -> path.getFileName().toString().chars().allMatch(Character::isDigit))
                    .filter(path -> commandLine(path).contains(text))
                    .map(path -> Long.parseLong(path.getFileName().toString()))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String commandLine(Path process) {
        try {
            return Files.readString(process.resolve("cmdline")).replace('\0', ' ');
        } catch (IOException gone) {
            return "";
        }
    }

    /** Flips one bit in the middle of a file. */
    static void flipBit(Path file) throws IOException {
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
            long middle = bytes.length() / 2;
            bytes.seek(middle);
            int old = bytes.read();
            bytes.seek(middle);
            bytes.write(old ^ 1);
        }
    }

    List<Path> sandboxFiles() throws IOException {
        try (Stream<Path> files = Files.walk(state.resolve("sandboxes"))) {
            return files.skip(1).toList();
        }
    }

    @Override
    public void close() throws IOException {
        vc.close();
        try (Stream<Path> files = Files.walk(state).sorted(java.util.Comparator.reverseOrder())) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
    }
}
