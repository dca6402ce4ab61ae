// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

class HostProcessTest {
    @Test
    void knowsALiveProcessAndItsDeath() throws Exception {
        Process process = new ProcessBuilder("sleep", "1000").start();
        HostProcess identity = HostProcess.of(process.pid());
        assertThat(identity.isAlive()).isTrue();
        process.destroyForcibly().waitFor();
        assertThat(identity.isAlive()).isFalse();
        assertThat(HostProcess.find(process.pid())).isEmpty();
        assertThatThrownBy(() -> HostProcess.of(process.pid()))
                .isInstanceOf(NotFoundException.class)
                .hasMessageContaining(Long.toString(process.pid()));
    }

    @Test
    void anotherProcessWithItsPidIsNotTheSame() {
        HostProcess me = HostProcess.current();
        assertThat(me.isAlive()).isTrue();
        assertThat(new HostProcess(me.pid(), me.startTime() - 1, me.bootId()).isAlive())
                .isFalse();
        assertThat(new HostProcess(me.pid(), me.startTime(), "another boot").isAlive())
                .isFalse();
    }

    @Test
    void aProcessThatCannotBeSignalledLives() {
        assertThat(HostProcess.of(1).isAlive()).isTrue();
    }

    @Test
    void aZombieIsDead() throws Exception {
        // The child ends, and its parent, which has become sleep, never waits for it.
        Process parent = new ProcessBuilder("sh", "-c", "sleep 0 & exec sleep 1000").start();
        try {
            Awaitility.await().until(() -> isZombie(childOf(parent.pid())));
            assertThat(HostProcess.find(childOf(parent.pid()))).isEmpty();
        } finally {
            parent.destroyForcibly().waitFor();
        }
    }

    private static long childOf(long pid) throws IOException {
        String children = Files.readString(Path.of("/proc/" + pid + "/task/" + pid + "/children"));
        return children.isBlank() ? 0 : Long.parseLong(children.strip());
    }

    private static boolean isZombie(long pid) throws IOException {
        return pid > 0 && Files.readString(Path.of("/proc/" + pid + "/stat")).contains(") Z ");
    }
}
