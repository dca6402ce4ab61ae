// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.DamagedStateException;
import io.virtcontainers.HostProcess;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RegistryTest {
    @TempDir
    Path root;

    private Registry registry;

    @BeforeEach
    void open() {
        registry = new Registry(root);
    }

    private static Entry entry(String id) {
        return new Entry(
                id,
                "sandbox",
                Path.of("/a b/ü"),
                "1.0.2",
                HostProcess.current(),
                Map.of("k = 1", "v\n: \\ #x", "", ""));
    }

    @Test
    void givesBackWhatItGot() throws IOException {
        registry.claim(entry("b"));
        registry.claim(entry("a"));
        assertThat(registry.get("b")).isEqualTo(entry("b"));
        assertThat(registry.all()).extracting(Entry::id).containsExactly("a", "b");
        registry.remove("b");
        registry.remove("b");
        assertThat(registry.find("b")).isEmpty();
        assertThat(root.resolve("containers").toFile().list()).containsExactly("a");
    }

    @Test
    void anIdIsClaimedOnce() throws IOException {
        registry.claim(entry("a"));
        assertThatThrownBy(() -> registry.claim(entry("a")))
                .isInstanceOf(AlreadyExistsException.class)
                .hasMessage("ID already in use: a");
    }

    @Test
    void anIdIsNoPath() {
        for (String id : new String[] {"", "../a", ".", "a/b", "-a", "a".repeat(65)}) {
            assertThatThrownBy(() -> registry.find(id)).isInstanceOf(InvalidConfigException.class);
        }
    }

    @Test
    void saysWhichFileIsDamaged() throws IOException {
        registry.claim(entry("a"));
        registry.claim(entry("b"));
        Path file = registry.file("a");
        Files.writeString(file, Files.readString(file).replaceAll("(?m)^pid=.*", "pid=soon"));
        assertThatThrownBy(() -> registry.get("a"))
                .isInstanceOf(DamagedStateException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining("soon");
        assertThat(registry.all()).extracting(Entry::id).containsExactly("b");
    }
}
