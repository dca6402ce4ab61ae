// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static io.virtcontainers.VmFixture.processesWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.testkit.GenericKernel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What containers see of the host's files, live by 9p. */
class NinePFilesVmTest extends LiveFilesContract {
    @Override
    HypervisorConfig settings() {
        return HypervisorConfig.builder()
                .sharedFs(SharedFs.VIRTIO_9P)
                .kernel(GenericKernel.find())
                .build();
    }

    @Test
    void aKernelWithout9pIsRefusedBeforeAnythingStarts() {
        SandboxConfig config = SandboxConfig.builder("cloud")
                .hypervisor(
                        HypervisorConfig.builder().sharedFs(SharedFs.VIRTIO_9P).build())
                .build();
        assertThatThrownBy(() -> fixture.vc.run(config))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("lacks 9pnet_virtio, 9p, which SharedFs.VIRTIO_9P needs")
                .hasMessageContaining("linux-image-amd64");
        assertThat(fixture.vc.list()).extracting(SandboxStatus::id).containsExactly("live");
    }

    @Test
    void aReadOnlyOneIsSoForTheWholeGuest() throws IOException {
        Container container = container("c", new Mount.Shared(data, GuestPath.of("/data"), true));
        // What the guest's root can do is to make its own mount writable: a guest mounts a tag once only.
        GuestProcess root = container.exec(ProcessConfig.builder(
                        "sh",
                        "-c",
                        "{ mount -o remount,bind,rw /data && cat /data/sub/file; echo x > /data/sub/file; } 2>&1")
                .capabilities(Capabilities.of("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"))
                .build());
        root.stdin().close();
        assertThat(output(root).strip().lines())
                .containsExactly("of the host", "sh: can't create /data/sub/file: Read-only file system");
        assertThat(data.resolve("sub/file")).hasContent("of the host\n");
    }

    /** In QEMU's own mount namespace, so what the guest sends to QEMU makes no difference. */
    @Test
    void theSharedDirectoryItselfIsReadOnly() throws IOException {
        List<Long> machines = processesWith("-pidfile " + fixture.state + "/sandboxes/live/");
        assertThat(machines).hasSize(1);
        String directoryOfAll = fixture.state + "/sandboxes/live/vm/shared";
        assertThat(Files.readAllLines(Path.of("/proc", machines.get(0).toString(), "mountinfo")))
                .filteredOn(line -> line.contains(" " + directoryOfAll + " "))
                .singleElement()
                .satisfies(line -> assertThat(line.split(" ", -1)[5]).startsWith("ro"));
        assertThat(mounts()).isEmpty();
    }

    /** Where no disk can be plugged in. */
    @Test
    void aMicrovmHasContainersWhoseRootIsOnTheHost() throws IOException {
        HypervisorConfig microvm = HypervisorConfig.builder()
                .sharedFs(SharedFs.VIRTIO_9P)
                .kernel(GenericKernel.find())
                .machine(MachineConfig.builder().type(MachineType.MICROVM).build())
                .build();
        try (Sandbox small = fixture.vc.run(
                SandboxConfig.builder("small").hypervisor(microvm).build())) {
            Container container = small.createContainer(ContainerConfig.builder("c")
                    .rootfs(RootFs.shared(fixture.rootfs))
                    .command("sh", "-c", "echo line > /log; cat /data/sub/file")
                    .mounts(new Mount.Shared(data, GuestPath.of("/data"), true))
                    .build());
            assertThat(output(container)).isEqualTo("of the host\n");
            assertThat(fixture.rootfs.resolve("log")).hasContent("line\n");
        }
    }
}
