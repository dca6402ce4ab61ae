// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.testkit.OtherJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A full disk refuses what is new with a typed error, loses nothing, and hinders no clean-up. */
@Timeout(120)
class DiskFullTest {
    @TempDir
    Path directory;

    @Test
    void aFullDiskLosesNothing() throws Exception {
        Path disk = Files.createDirectory(directory.resolve("disk"));
        Path rootfs = Files.createDirectory(directory.resolve("rootfs"));
        // A mount namespace of its own, so that the file system is gone with the program; rootless where need be.
        List<String> smallDisk = new ArrayList<>(List.of("unshare", "--mount"));
        if (!Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0)) {
            smallDisk.addAll(List.of("--user", "--map-root-user"));
        }
        smallDisk.addAll(List.of(
                "sh", "-c", "mount -t tmpfs -o size=64k,mode=0700 small \"$0\" && exec \"$@\"", disk.toString()));
        try (OtherJvm program = new OtherJvm(smallDisk, DiskFullProgram.class, disk.toString(), rootfs.toString())) {
            List<String> lines = new ArrayList<>();
            String line = program.readLine();
            while (!line.equals("null")) {
                lines.add(line);
                line = program.readLine();
            }
            assertThat(lines)
                    .as("what was as it should be, until the first that was not")
                    .endsWith("done");
        }
    }
}
