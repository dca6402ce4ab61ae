// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a host that lacks several things, one run names all of them. */
@Tag("vm")
class HostLacksVmTest {
    @TempDir
    Path directory;

    @Test
    void everythingThatIsMissingIsNamedAtOnce() throws Exception {
        Files.createDirectories(directory.resolve("rootfs/bin"));
        Path err = directory.resolve("err");
        ProcessBuilder builder = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.virtcontainers.examples.Hello",
                        directory.resolve("rootfs").toString()))
                .redirectOutput(new File("/dev/null"))
                .redirectError(err.toFile());
        builder.environment().put("PATH", "/nonexistent");
        builder.environment().put("VIRTCONTAINERS_CRUN", "/nonexistent/crun");
        builder.environment()
                .put("VIRTCONTAINERS_CACHE", directory.resolve("cache").toString());
        Process process = builder.start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isEqualTo(1);
        assertThat(Files.readString(err))
                .contains("FAILED   qemu: qemu-system-x86_64 is not in PATH (/nonexistent); install QEMU")
                .contains("VIRTCONTAINERS_CRUN /nonexistent/crun: there is no such file");
    }
}
