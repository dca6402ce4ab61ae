// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostTscTest {
    @TempDir
    Path root;

    @BeforeEach
    void makeHost() throws IOException {
        Files.createDirectories(root.resolve("proc"));
        cpuinfo("fpu constant_tsc nopl");
    }

    private void cpuinfo(String flags) throws IOException {
        Files.writeString(
                root.resolve("proc/cpuinfo"), "processor\t: 0\ncpu MHz\t\t: 2596.096\nflags\t\t: " + flags + "\n");
    }

    private Path frequencies() throws IOException {
        return Files.createDirectories(root.resolve("sys/devices/system/cpu/cpu0/cpufreq"));
    }

    @Test
    void aHostOfOneRateTellsIt() {
        assertThat(HostTsc.khz(root)).contains("2596096");
    }

    @Test
    void theBaseFrequencyIsBetterThanThatOfTheMoment() throws IOException {
        Files.writeString(frequencies().resolve("base_frequency"), "2600000\n");
        assertThat(HostTsc.khz(root)).contains("2600000");
    }

    @Test
    void aRateThatChangesIsNone() throws IOException {
        cpuinfo("fpu nopl");
        assertThat(HostTsc.khz(root)).isEmpty();
        cpuinfo("fpu constant_tsc nopl");
        Path unused = frequencies();
        assertThat(HostTsc.khz(root)).isEmpty();
    }
}
