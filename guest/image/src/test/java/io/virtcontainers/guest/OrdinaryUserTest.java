// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.spi.Deadline;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What differs for a user who is not root. Tests that run as root become the user "nobody" for it. */
final class OrdinaryUserTest {
    private static final int NOBODY = 65534;

    @TempDir
    private Path folder;

    private Path rootfs;

    @BeforeEach
    void makeTree() throws IOException {
        rootfs = Files.createDirectory(folder.resolve("rootfs"));
        Files.writeString(rootfs.resolve("a-readable"), "x");
        for (Path path : List.of(folder, rootfs)) {
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        Files.setPosixFilePermissions(rootfs.resolve("a-readable"), PosixFilePermissions.fromString("rw-r--r--"));
    }

    /** Copies the class path to where everybody can read it, and packs the tree as an ordinary user. */
    private String pack() throws IOException {
        Path classes = Files.createDirectory(folder.resolve("classes-" + System.nanoTime()));
        List<String> classPath = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            Path target = classes.resolve(String.valueOf(classPath.size()));
            String name = String.valueOf(Path.of(entry).getFileName());
            if (Stream.of("virtcontainers-api", "slf4j-api", "guava").anyMatch(name::startsWith)
                    || name.endsWith("classes")) {
                ChildProcess.run(List.of("cp", "-rL", entry, target.toString()), Map.of(), deadline(), "cp");
                classPath.add(target.toString());
            }
        }
        ChildProcess.run(List.of("chmod", "-R", "a+rX", classes.toString()), Map.of(), deadline(), "chmod");
        Path cache = folder.resolve("cache");
        Files.createDirectories(cache);
        List<String> command = new ArrayList<>();
        if (Host.local().root()) {
            Files.setAttribute(cache, "unix:uid", NOBODY);
            command.addAll(List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups"));
        }
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                String.join(File.pathSeparator, classPath),
                OrdinaryUserMain.class.getName(),
                cache.toString(),
                rootfs.toString()));
        return ChildProcess.run(command, Map.of(), deadline(), "the packing as another user")
                .output();
    }

    private static Deadline deadline() {
        return Deadline.after(Duration.ofSeconds(60));
    }

    @Test
    void namesTheFirstFileThatCannotBeRead() throws IOException {
        Path secret = Files.writeString(rootfs.resolve("b-secret"), "x");
        Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("---------"));
        assertThat(pack())
                .contains("InvalidConfigException")
                .contains("rootfs " + rootfs + ": " + secret + " cannot be read by this user")
                .contains("chmod u+r");
    }

    @Test
    void namesTheFirstFolderThatCannotBeListed() throws IOException {
        Path closed = Files.createDirectory(rootfs.resolve("closed"));
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("---------"));
        try {
            assertThat(pack()).contains("InvalidConfigException").contains(closed + " cannot be read by this user");
        } finally {
            Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    @Test
    void givesAllFilesToRoot() throws IOException {
        if (!Host.local().root()) {
            assertThat(FileStamp.of(rootfs).uid()).isNotZero();
        } else {
            Files.setAttribute(rootfs.resolve("a-readable"), "unix:uid", NOBODY);
        }
        String image = pack().lines().reduce((first, last) -> last).orElseThrow();
        assertThat(image).endsWith(".erofs");
        assertThat(ChildProcess.run(
                                List.of("dump.erofs", "--path=/a-readable", image), Map.of(), deadline(), "dump.erofs")
                        .output())
                .contains("Uid: 0   Gid: 0");
    }
}
