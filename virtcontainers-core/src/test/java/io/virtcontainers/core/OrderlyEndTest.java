// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestPath;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Mount;
import io.virtcontainers.RootFs;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.SandboxRecord;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class OrderlyEndTest {
    private static final Path SOMEWHERE = Path.of("/somewhere");
    private static final GuestPath INSIDE = GuestPath.of("/inside");

    private static SandboxRecord sandbox(HypervisorConfig hypervisor) {
        SandboxConfig config = SandboxConfig.builder("s").hypervisor(hypervisor).build();
        return SandboxRecord.created(config, Optional.empty(), Instant.EPOCH);
    }

    private static boolean neededWith(RootFs rootfs, boolean readOnly, Mount... mounts) {
        ContainerConfig container = ContainerConfig.builder("c")
                .rootfs(rootfs)
                .readOnlyRootfs(readOnly)
                .mounts(mounts)
                .command("true")
                .build();
        return OrderlyEnd.isNeeded(sandbox(HypervisorConfig.defaults())
                .container(ContainerRecord.created(container, "token", Instant.EPOCH)));
    }

    @Test
    void notWhereAllThatTheGuestWritesEndsWithItsMachine() {
        assertThat(OrderlyEnd.isNeeded(sandbox(HypervisorConfig.defaults()))).isFalse();
        assertThat(neededWith(RootFs.directory(SOMEWHERE), false)).isFalse();
        assertThat(neededWith(RootFs.image(SOMEWHERE), false)).isFalse();
        assertThat(neededWith(RootFs.disk(SOMEWHERE, "ext4"), true)).isFalse();
        assertThat(neededWith(
                        RootFs.directory(SOMEWHERE),
                        false,
                        new Mount.Bind(SOMEWHERE, INSIDE, false),
                        new Mount.Persistent(SOMEWHERE, "ext4", INSIDE, /* readOnly= */ true),
                        new Mount.Tmpfs(INSIDE, MemorySize.mib(1))))
                .isFalse();
    }

    @Test
    void whereItWritesToTheHost() {
        assertThat(neededWith(RootFs.disk(SOMEWHERE, "ext4"), false)).isTrue();
        assertThat(neededWith(RootFs.shared(SOMEWHERE), true)).isTrue();
        assertThat(neededWith(
                        RootFs.directory(SOMEWHERE),
                        false,
                        new Mount.Persistent(SOMEWHERE, "ext4", INSIDE, /* readOnly= */ false)))
                .isTrue();
        assertThat(neededWith(RootFs.directory(SOMEWHERE), false, new Mount.Shared(SOMEWHERE, INSIDE, true)))
                .isTrue();
        assertThat(OrderlyEnd.isNeeded(sandbox(HypervisorConfig.defaults()).device("disk")))
                .isTrue();
        assertThat(OrderlyEnd.isNeeded(sandbox(
                        HypervisorConfig.builder().sharedFs(SharedFs.VIRTIO_FS).build())))
                .isTrue();
    }
}
