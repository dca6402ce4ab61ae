// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.GuestDisks.run;
import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Root file systems that containers can write to, and disks by either driver. */
@Tag("vm")
@Timeout(120)
class RootFsVmTest {
    private static final String APPEND = "cat /log 2>/dev/null; echo line >> /log && sync";

    @TempDir
    Path directory;

    private VmFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    private Sandbox sandbox(String id, HypervisorConfig settings) {
        return fixture.vc.run(SandboxConfig.builder(id)
                .memory(MemorySize.mib(256))
                .hypervisor(settings)
                .build());
    }

    private static ContainerConfig.Builder container(String id, RootFs rootfs, String script) {
        return ContainerConfig.builder(id).rootfs(rootfs).command("sh", "-c", script + " 2>&1");
    }

    private static String result(Sandbox sandbox, ContainerConfig config) throws IOException {
        Container container = sandbox.createContainer(config);
        container.start();
        String text = output(container.process()).strip();
        container.delete();
        return text;
    }

    private Path ext4() throws IOException {
        Path image = directory.resolve("root.img");
        run("mke2fs", "-q", "-t", "ext4", "-d", fixture.rootfs.toString(), image.toString(), "32M");
        return image;
    }

    @Test
    void aDiskKeepsWhatIsWrittenAndBelongsToOne() throws IOException {
        RootFs disk = RootFs.disk(ext4(), "ext4");
        try (Sandbox first = sandbox("first", HypervisorConfig.defaults())) {
            assertThat(result(first, container("a", disk, APPEND).build())).isEmpty();
            Container second = first.createContainer(
                    container("b", disk, APPEND + "; echo done; sleep 1000").build());
            second.start();
            assertThatThrownBy(() ->
                            first.createContainer(container("c", disk, APPEND).build()))
                    .isInstanceOf(HypervisorException.class)
                    .hasMessageContaining("root.img")
                    .hasMessageContaining("lock");
            assertThat(second.process().stdout().readNBytes(10)).asString().isEqualTo("line\ndone\n");
            second.stop();
            second.start();
            assertThat(second.process().stdout().readNBytes(15)).asString().isEqualTo("line\nline\ndone\n");
        }
        try (Sandbox again = sandbox("again", HypervisorConfig.defaults())) {
            ContainerConfig.Builder reads =
                    container("a", disk, "cat /log; touch /new").readOnlyRootfs(true);
            assertThat(result(again, reads.build())).isEqualTo("line\nline\nline\ntouch: /new: Read-only file system");
        }
    }

    @Test
    void aQcow2ImageIsADiskUnlessItRefersToOthers() throws IOException {
        Path raw = ext4();
        Path image = directory.resolve("root.qcow2");
        run("qemu-img", "convert", "-O", "qcow2", raw.toString(), image.toString());
        Path layer = directory.resolve("layer.qcow2");
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", image.toString(), "-F", "qcow2", layer.toString());
        Path split = directory.resolve("split.qcow2");
        run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=/etc/hostname.x", split.toString(), "32M");
        try (Sandbox sandbox = sandbox("demo", HypervisorConfig.defaults())) {
            RootFs disk = new RootFs.Disk(image, DiskFormat.QCOW2, "ext4");
            assertThat(result(sandbox, container("a", disk, APPEND).build())).isEmpty();
            assertThat(result(sandbox, container("b", disk, APPEND).build())).isEqualTo("line");
            for (Path refused : List.of(layer, split, raw)) {
                RootFs other = new RootFs.Disk(refused, DiskFormat.QCOW2, "ext4");
                assertThatThrownBy(() -> sandbox.createContainer(
                                container("c", other, APPEND).build()))
                        .isInstanceOf(InvalidConfigException.class)
                        .hasMessageContaining(refused.toString());
            }
        }
        Files.deleteIfExists(Path.of("/etc/hostname.x")); // qemu-img makes it
    }

    @Test
    void aBlockDeviceOfTheHostIsADisk() throws IOException {
        Path image = ext4();
        String device = run("losetup", "--show", "-f", image.toString()).strip();
        try (Sandbox sandbox = sandbox("demo", HypervisorConfig.defaults())) {
            RootFs disk = RootFs.disk(Path.of(device), "ext4");
            assertThat(result(sandbox, container("a", disk, APPEND).build())).isEmpty();
            assertThat(result(sandbox, container("b", disk, APPEND).build())).isEqualTo("line");
            RootFs wrong = RootFs.disk(Path.of(device), "xfs");
            assertThatThrownBy(() -> sandbox.createContainer(
                            container("c", wrong, APPEND).build()))
                    .isInstanceOf(VirtException.class)
                    .hasMessageContaining("xfs");
            assertThat(result(sandbox, container("d", disk, "cat /log").build()))
                    .isEqualTo("line\nline");
        } finally {
            run("losetup", "-d", device);
        }
    }

    @Test
    void aSharedDirectoryIsWrittenAtOnce() throws IOException {
        RootFs shared = RootFs.shared(fixture.rootfs);
        HypervisorConfig settings =
                HypervisorConfig.builder().sharedFs(SharedFs.VIRTIO_FS).build();
        try (Sandbox sandbox = sandbox("demo", settings)) {
            assertThat(result(sandbox, container("a", shared, APPEND).build())).isEmpty();
            assertThat(fixture.rootfs.resolve("log")).hasContent("line\n");
            ContainerConfig.Builder reads =
                    container("b", shared, "cat /log; touch /new").readOnlyRootfs(true);
            assertThat(result(sandbox, reads.build())).isEqualTo("line\ntouch: /new: Read-only file system");
            // The directory of a mount can be missing: it is made in the guest, not on the host.
            ContainerConfig.Builder mounts = container("m", shared, "touch /missing/file && ls /missing; touch /new")
                    .readOnlyRootfs(true)
                    .mounts(new Mount.Tmpfs(GuestPath.of("/missing"), MemorySize.mib(1)));
            assertThat(result(sandbox, mounts.build())).isEqualTo("file\ntouch: /new: Read-only file system");
            assertThat(fixture.rootfs.resolve("missing")).doesNotExist();
            // Packed ones have their own layer, in the same sandbox.
            RootFs packed = RootFs.directory(fixture.rootfs);
            assertThat(result(sandbox, container("c", packed, APPEND).build())).isEqualTo("line");
            assertThat(fixture.rootfs.resolve("log")).hasContent("line\n");
        }
        assertThat(fixture.rootfs.resolve("bin/busybox")).exists();
    }

    @Test
    void aSharedDirectoryNeedsASandboxThatShares() {
        try (Sandbox sandbox = sandbox("demo", HypervisorConfig.defaults())) {
            RootFs shared = RootFs.shared(fixture.rootfs);
            assertThatThrownBy(() -> sandbox.createContainer(
                            container("a", shared, APPEND).build()))
                    .isInstanceOf(UnsupportedException.class)
                    .hasMessageContaining("the root file system is live, but the sandbox has sharedFs NONE");
        }
    }

    /** More of them than a bridge has slots. */
    @Test
    void scsiDisksTakeNoPciSlots() throws IOException {
        HypervisorConfig settings = HypervisorConfig.builder()
                .block(new BlockConfig(BlockDriver.VIRTIO_SCSI, true, false))
                .build();
        Path small = Files.write(directory.resolve("small.img"), new byte[1 << 20]);
        try (Sandbox sandbox = sandbox("demo", settings)) {
            RootFs disk = RootFs.disk(ext4(), "ext4");
            assertThat(result(sandbox, container("a", disk, APPEND).build())).isEmpty();
            List<String> addresses = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                addresses.add(sandbox.addDevice(new Device.Block("disk" + i, small, true)));
            }
            assertThat(addresses).doesNotHaveDuplicates().contains("0:0", "39:0");
            ContainerConfig.Builder counts = container(
                    "b",
                    RootFs.directory(fixture.rootfs),
                    "i=0; while [ $(ls /sys/block | grep -c sd) != 41 ] &&"
                            + " [ $i -lt 100 ]; do usleep 50000; i=$((i+1)); done; ls /sys/block | grep -c sd");
            assertThat(result(sandbox, counts.build())).isEqualTo("41");
            for (int i = 0; i < 40; i++) {
                sandbox.removeDevice("disk" + i);
            }
            assertThat(result(sandbox, container("c", disk, APPEND).build())).isEqualTo("line");
        }
    }

    @Test
    void aDiskThatIsNotThereIsRefused() {
        try (Sandbox sandbox = sandbox("demo", HypervisorConfig.defaults())) {
            RootFs missing = RootFs.disk(directory.resolve("missing"), "ext4");
            assertThatThrownBy(() -> sandbox.createContainer(
                            container("a", missing, APPEND).build()))
                    .isInstanceOf(InvalidConfigException.class)
                    .hasMessageContaining("missing");
        }
        assertThatThrownBy(() -> RootFs.disk(directory, "ext4; rm")).isInstanceOf(InvalidConfigException.class);
    }
}
