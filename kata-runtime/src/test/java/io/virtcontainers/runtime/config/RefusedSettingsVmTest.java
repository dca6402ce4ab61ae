// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MemorySize;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.SharedFsConfig;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.VirtContainers;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What options refuse although the API has it, the backend refuses too: when it no longer does, the options must follow. */
@Tag("vm")
class RefusedSettingsVmTest {
    @TempDir
    Path directory;

    private static HypervisorConfig sharing(SharedFs type, MemorySize window) {
        return HypervisorConfig.builder()
                .sharedFs(new SharedFsConfig(type, Optional.empty(), "auto", window, List.of(), 8192))
                .build();
    }

    private void assertRefused(HypervisorConfig settings) {
        try (VirtContainers library = VirtContainers.builder()
                .stateDirectory(directory.resolve("state"))
                .open()) {
            SandboxConfig machine =
                    SandboxConfig.builder("refused").hypervisor(settings).build();
            assertThatThrownBy(() -> library.run(machine))
                    .isInstanceOf(UnsupportedException.class)
                    .hasMessageContaining("is not supported yet");
        }
    }

    @Test
    void theDaxWindow() {
        assertThat(Options.VIRTIO_FS_CACHE_SIZE.support()).isEqualTo(ConfigOption.Support.NOT_YET);
        assertRefused(sharing(SharedFs.VIRTIO_FS, MemorySize.mib(64)));
    }
}
