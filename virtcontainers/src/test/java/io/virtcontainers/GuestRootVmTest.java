// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.output;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.spi.GuestImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sandboxes whose guest is given by the user, and sandboxes on other machines than the default one. */
@Tag("vm")
@Timeout(120)
class GuestRootVmTest {
    @TempDir
    static Path directory;

    private static VmFixture fixture;
    private static GuestImage builtIn;
    private static Path tree;

    @BeforeAll
    static void open() throws IOException {
        fixture = new VmFixture(directory);
        builtIn = RealBackends.guestImage();
        tree = GuestDisks.tree(builtIn.initrd().orElseThrow(), Files.createDirectory(directory.resolve("tree")));
        Files.writeString(tree.resolve("etc/of-the-image"), "yes\n");
    }

    @AfterAll
    static void close() throws IOException {
        fixture.close();
    }

    private static Sandbox run(String id, HypervisorConfig settings) {
        return fixture.vc.run(SandboxConfig.builder(id)
                .memory(MemorySize.mib(256))
                .hypervisor(settings)
                .build());
    }

    private static Sandbox run(String id, GuestRoot root) {
        return run(id, HypervisorConfig.builder().root(root).build());
    }

    private static Sandbox run(String id, MachineType type) {
        return run(
                id, HypervisorConfig.builder().machine(MachineConfig.of(type)).build());
    }

    /** What a container sees in the mounts and the devices of its guest. */
    private static String seen(Sandbox sandbox, String script) throws IOException {
        return output(fixture.container(sandbox, "c", "sh", "-c", script));
    }

    @Test
    void anInitrdIsGiven() throws IOException {
        Path initrd = Files.copy(builtIn.initrd().orElseThrow(), directory.resolve("own.initrd"));
        try (Sandbox sandbox = run("initrd", GuestRoot.initrd(initrd))) {
            assertThat(seen(sandbox, "echo runs")).isEqualTo("runs\n");
        }
        Path missing = directory.resolve("missing");
        assertThatThrownBy(() -> run("none", GuestRoot.initrd(missing)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("guest initrd " + missing + ": there is no such file to read");
    }

    @Test
    void anImageWithAPartitionIsAVirtioDisk() throws IOException {
        Path image = GuestDisks.partitioned(tree, directory.resolve("ext4.img"));
        byte[] before = Files.readAllBytes(image);
        try (Sandbox sandbox = run("disk", GuestRoot.image(image))) {
            assertThat(seen(sandbox, "grep -o 'root=.*ext4' /proc/cmdline; cat /sys/block/vda/ro"))
                    .isEqualTo("root=/dev/vda1 ro rootfstype=ext4\n1\n");
        }
        assertThat(Files.readAllBytes(image)).isEqualTo(before);
    }

    @Test
    void anImageIsPersistentMemory() throws IOException {
        Path image = GuestDisks.erofs(tree, directory.resolve("erofs.img"));
        try (Sandbox sandbox = run("nvdimm", GuestRoot.nvdimm(image))) {
            assertThat(seen(sandbox, "grep -o 'root=.*erofs' /proc/cmdline; cat /sys/block/pmem0/ro"))
                    .isEqualTo("root=/dev/pmem0 ro rootfstype=erofs\n1\n");
        }
    }

    @Test
    void aFileWithoutAFileSystemIsNoImage() throws IOException {
        Path empty = Files.write(directory.resolve("empty.img"), new byte[1 << 21]);
        assertThatThrownBy(() -> run("empty", GuestRoot.image(empty)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("guest image " + empty
                        + ": has no ext4 and no EROFS, neither as a whole nor in its first partition");
        Path odd = Files.write(directory.resolve("odd.img"), new byte[(1 << 21) + 1]);
        assertThatThrownBy(() -> run("odd", GuestRoot.nvdimm(odd)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("no multiple of 2 MiB");
    }

    @Test
    void containersRunOnThePcMachine() throws IOException {
        try (Sandbox sandbox = run("pc", MachineType.PC)) {
            assertThat(seen(sandbox, "cat /sys/bus/pci/devices/0000:00:00.0/device"))
                    .isEqualTo("0x1237\n");
        }
    }

    @Test
    void theAgentAnswersOnTheMicrovmMachineWhichTakesNoDisks() {
        try (Sandbox sandbox = run("microvm", MachineType.MICROVM)) {
            assertThat(sandbox.status().state()).isEqualTo(State.RUNNING);
            assertThatThrownBy(() -> fixture.container(sandbox, "c", "true"))
                    .isInstanceOf(UnsupportedException.class)
                    .hasMessageContaining("a machine MICROVM takes no devices while it runs");
        }
    }
}
