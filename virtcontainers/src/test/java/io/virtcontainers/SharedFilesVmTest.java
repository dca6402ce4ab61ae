// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.allOutput;
import static io.virtcontainers.VmFixture.output;
import static io.virtcontainers.VmFixture.processesWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What containers see of the host's files, live by virtio-fs. */
class SharedFilesVmTest extends LiveFilesContract {
    @Override
    HypervisorConfig settings() {
        return HypervisorConfig.builder().sharedFs(SharedFs.VIRTIO_FS).build();
    }

    @AfterEach
    void noLockIsLeft() throws IOException {
        fixture.vc.close();
        String lock = (fixture.state + "/sandboxes/live/vm/share.sock").replace('/', '.') + ".pid";
        assertThat(Path.of("/run/virtiofsd", lock)).doesNotExist();
    }

    @Test
    void aReadOnlyOneIsSoForTheWholeGuest() throws IOException {
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), true));
        // Root in the guest makes its own mount of all that is shared.
        String script = "mkdir /m && mount -t virtiofs kataShared /m && cat /m/*/sub/file;"
                + " echo x > /m/$(ls /m)/sub/file; echo x > /m/here; echo x > /data/sub/file";
        GuestProcess root = container.exec(ProcessConfig.builder("sh", "-c", "{ " + script + "; } 2>&1")
                .capabilities(Capabilities.of("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"))
                .build());
        root.stdin().close();
        assertThat(output(root).strip().lines())
                .hasSize(4)
                .startsWith("of the host")
                .filteredOn(line -> line.contains("Read-only file system"))
                .hasSize(3);
        assertThat(data.resolve("sub/file")).hasContent("of the host\n");
    }

    @Test
    void theEndOfVirtiofsdEndsTheSandboxWithThatReason() throws Exception {
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        List<Long> daemons = new ArrayList<>(processesWith("--socket-path=" + fixture.state));
        assertThat(daemons).hasSize(3); // unshare, virtiofsd, and its process in the namespaces
        ProcessHandle.of(daemons.get(1)).orElseThrow().destroyForcibly();
        assertThatThrownBy(() -> container.process().waitFor(Duration.ofSeconds(30)))
                .isInstanceOf(VmDiedException.class)
                .hasMessageContaining("virtiofsd exited with code");
        assertThat(sandbox.state()).isEqualTo(State.STOPPED);
    }

    /** Memory that was plugged in is shared with virtiofsd as the rest is. */
    @Test
    void filesGoThroughMemoryThatWasPluggedIn() throws IOException {
        sandbox.close();
        sandbox = fixture.vc.run(SandboxConfig.builder("live")
                .memory(MemorySize.mib(256))
                .hypervisor(HypervisorConfig.builder()
                        .sharedFs(SharedFs.VIRTIO_FS)
                        .memory(GuestMemoryConfig.builder()
                                .max(MemorySize.mib(1024))
                                .build())
                        .build())
                .build());
        sandbox.resize(1, MemorySize.mib(1024));
        byte[] bytes = new byte[600 << 20]; // more than there was at the start
        for (int i = 0; i < bytes.length; i += 4096) {
            bytes[i] = (byte) (i >> 12);
        }
        Files.write(data.resolve("large"), bytes);
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), false));
        assertThat(allOutput(container, "cp /data/large /data/copy && cmp /data/large /data/copy && echo same"))
                .isEqualTo("same");
        assertThat(Files.mismatch(data.resolve("large"), data.resolve("copy"))).isEqualTo(-1);
    }
}
