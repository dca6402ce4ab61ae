// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("vm")
class OrphanReaperVmTest {
    @TempDir
    Path directory;

    private final List<Process> started = new ArrayList<>();
    private final ProcessLauncher launcher = new ProcessLauncher();
    private final OrphanReaper reaper = new OrphanReaper(launcher);

    @AfterEach
    void end() {
        started.forEach(Process::destroyForcibly);
        launcher.close();
    }

    private Process start(String... line) throws IOException {
        Process process = new ProcessBuilder(line).start();
        started.add(process);
        return process;
    }

    private Process startQemu(Path sandbox) throws IOException {
        return start(
                "qemu-system-x86_64",
                "-pidfile",
                sandbox.resolve("qemu.pid").toString(),
                "-nodefaults",
                "-display",
                "none",
                "-M",
                "q35",
                "-S");
    }

    @Test
    void endsTheQemuOfThisDirectoryAndNoOther() throws IOException {
        Path mine = Files.createDirectory(directory.resolve("mine"));
        Path other = Files.createDirectory(directory.resolve("mine2"));
        Process orphan = startQemu(mine);
        Process neighbour = startQemu(other);
        await().atMost(Duration.ofSeconds(10)).until(() -> Files.exists(mine.resolve("qemu.pid")));

        reaper.reap(mine, seconds(10));

        TestGuest.assertDead(orphan.pid());
        assertThat(neighbour.isAlive()).isTrue();
        reaper.reap(mine, seconds(10));
    }

    @Test
    void findsAQemuWithoutAPidFile() throws IOException {
        Process orphan = startQemu(directory);
        await().atMost(Duration.ofSeconds(10)).until(() -> Files.exists(directory.resolve("qemu.pid")));
        Files.delete(directory.resolve("qemu.pid"));
        reaper.reap(directory, seconds(10));
        TestGuest.assertDead(orphan.pid());
    }

    @Test
    void killsAQemuThatDoesNotReact() throws Exception {
        Process orphan = startQemu(directory);
        await().atMost(Duration.ofSeconds(10)).until(() -> Files.exists(directory.resolve("qemu.pid")));
        assertThat(start("kill", "-STOP", Long.toString(orphan.pid())).waitFor())
                .isZero();
        reaper.reap(directory, seconds(10));
        TestGuest.assertDead(orphan.pid());
    }

    @Test
    void neverTrustsAPidFile() throws IOException {
        Process innocent = start("sleep", "1000");
        Files.writeString(directory.resolve("qemu.pid"), innocent.pid() + "\n");
        reaper.reap(directory, seconds(10));
        assertThat(innocent.isAlive()).isTrue();
    }
}
