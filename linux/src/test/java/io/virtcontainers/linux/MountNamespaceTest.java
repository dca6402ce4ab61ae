// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** As root: from the namespace of the test, whose mounts propagate nowhere, into that of a child. */
@Timeout(60)
class MountNamespaceTest {
    @TempDir
    Path directory;

    private Process child;
    private Path source;
    private Path target;
    private List<String> ours;

    @BeforeEach
    void start() throws IOException {
        source = Files.createDirectory(directory.resolve("source"));
        target = Files.createDirectory(directory.resolve("target"));
        Files.writeString(Files.createDirectory(source.resolve("below")).resolve("under"), "hidden");
        child = new ProcessBuilder("unshare", "--mount", "sh", "-c", "echo ready; exec sleep 1000").start();
        assertThat(child.inputReader(UTF_8).readLine()).isEqualTo("ready");
        // Made after the child's namespace: does not propagate there.
        run("mount", "-t", "tmpfs", "tmpfs", source.resolve("below").toString());
        Files.writeString(source.resolve("below/file"), "of the tmpfs");
        ours = mounts();
    }

    @AfterEach
    void end() throws Exception {
        assertThat(mounts()).isEqualTo(ours);
        run("umount", source.resolve("below").toString());
        child.destroyForcibly().waitFor();
    }

    private List<String> mounts() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/self/mountinfo"))) {
            return lines.filter(line -> line.contains(directory.toString())).toList();
        }
    }

    private static void run(String... command) {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            String words = new String(process.getInputStream().readAllBytes(), UTF_8);
            assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).as(words).isZero();
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** What the child sees. */
    private Path there(Path path) {
        return Path.of("/proc/" + child.pid() + "/root" + path);
    }

    @Test
    void bringsADirectoryWithWhatIsMountedBelowIt() throws IOException {
        MountNamespace namespace = MountNamespace.of(child.pid());
        namespace.bind(source, target, false);
        assertThat(there(target.resolve("below/file"))).hasContent("of the tmpfs");
        Files.writeString(there(target.resolve("new")), "of the child");
        assertThat(source.resolve("new")).hasContent("of the child");
        assertThat(target).isEmptyDirectory();
        namespace.unmount(target);
        assertThat(there(target)).isEmptyDirectory();
    }

    @Test
    void readOnlyHoldsForTheMountsBelowToo() throws IOException {
        Path file = Files.createFile(directory.resolve("place"));
        MountNamespace namespace = MountNamespace.of(child.pid());
        namespace.bind(source, target, true);
        namespace.bind(source.resolve("below/file"), file, true);
        assertThat(there(file)).hasContent("of the tmpfs");
        for (Path path : List.of(target.resolve("new"), target.resolve("below/file"), file)) {
            assertThatThrownBy(() -> Files.writeString(there(path), "x"))
                    .isInstanceOf(FileSystemException.class)
                    .hasMessageContaining("Read-only");
        }
        Files.writeString(source.resolve("below/file"), "ours is writable");
        assertThat(there(file)).hasContent("ours is writable");
    }

    @Test
    void whatIsWrongIsSaid() throws IOException {
        MountNamespace namespace = MountNamespace.of(child.pid());
        assertThatThrownBy(() -> namespace.bind(directory.resolve("none"), target, false))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("open_tree " + directory.resolve("none") + ": No such file");
        assertThatThrownBy(() -> namespace.bind(source, directory.resolve("none"), false))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("move_mount to " + directory.resolve("none") + ": No such file");
        assertThatThrownBy(() -> namespace.unmount(target))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("umount " + target + ": Invalid argument");
        Path link = Files.createSymbolicLink(directory.resolve("link"), target);
        namespace.bind(source, target, false);
        assertThatThrownBy(() -> namespace.unmount(link)).isInstanceOf(LinuxException.class);
        assertThatThrownBy(() -> MountNamespace.of(Integer.MAX_VALUE).bind(source, target, false))
                .isInstanceOf(LinuxException.class)
                .hasMessageContaining("/proc/2147483647/ns/mnt: No such file");
    }
}
