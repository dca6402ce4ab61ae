// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static io.virtcontainers.VmFixture.allOutput;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Volumes that are persistent memory of the guest. */
@Tag("vm")
@Timeout(120)
class PersistentMemoryVmTest {
    @TempDir
    Path directory;

    private VmFixture fixture;
    private Sandbox sandbox;

    @BeforeEach
    void open() throws IOException {
        fixture = new VmFixture(directory);
        sandbox = run("demo");
    }

    @AfterEach
    void close() throws IOException {
        fixture.close();
    }

    private Sandbox run(String id) {
        return fixture.vc.run(SandboxConfig.builder(id)
                .memory(MemorySize.mib(256))
                .hypervisor(HypervisorConfig.builder()
                        .memory(GuestMemoryConfig.builder()
                                .persistent(MemorySize.mib(96))
                                .build())
                        .build())
                .build());
    }

    private Path ext4(String name, int mib, int blockSize) throws IOException {
        Path image = directory.resolve(name);
        GuestDisks.run("mke2fs", "-q", "-t", "ext4", "-b", Integer.toString(blockSize), image.toString(), mib + "M");
        return image;
    }

    /** With a header by which Linux has pages for it, and the file system behind that, from 2 MiB on. */
    private Path withPages(String name, int mib) throws IOException {
        Path image = directory.resolve(name);
        int offset = 2 << 20;
        GuestDisks.run(
                "mke2fs",
                "-q",
                "-t",
                "ext4",
                "-b",
                "4096",
                "-E",
                "offset=" + offset,
                image.toString(),
                (mib - 2) + "M");
        ByteBuffer header = ByteBuffer.allocate(4096).order(ByteOrder.LITTLE_ENDIAN);
        header.put("NVDIMM_PFN_INFO\0".getBytes(US_ASCII))
                .put(new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7});
        header.putShort(52, (short) 1).putShort(54, (short) 2); // the version
        header.putLong(56, offset).putLong(64, ((long) mib << 20) / 4096 - offset / 4096);
        header.putInt(72, 1); // the pages are in the guest's memory
        header.putInt(84, offset); // the alignment
        int low = 0;
        long high = 0;
        for (int i = 0; i < header.capacity(); i += Integer.BYTES) {
            low += header.getInt(i);
            high += Integer.toUnsignedLong(low);
        }
        header.putLong(4088, high << 32 | Integer.toUnsignedLong(low));
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength((long) mib << 20);
            file.seek(4096);
            file.write(header.array());
        }
        return image;
    }

    private Container container(String id, Mount... mounts) {
        return fixture.sleeping(sandbox, id, mounts);
    }

    private static Mount volume(Path image, String destination, boolean readOnly) {
        return new Mount.Persistent(image, "ext4", GuestPath.of(destination), readOnly);
    }

    @Test
    void itIsSharedByContainersAndStaysUntilTheSandboxEnds() throws IOException {
        Path image = withPages("disk.img", 32);
        Path other = ext4("other.img", 16, 4096);
        Container first = container("first", volume(image, "/a", false), volume(other, "/b", false));
        assertThat(allOutput(first, "grep -E ' /(a|b) ' /proc/self/mounts | cut -d' ' -f1-3 | sed 's/[0-9] / /'"))
                .isEqualTo("/dev/pmem /a ext4\n/dev/pmem /b ext4");
        assertThat(allOutput(first, "grep ' /a ' /proc/self/mounts")).contains("dax=always");
        assertThat(allOutput(first, "grep ' /b ' /proc/self/mounts"))
                .as("without pages")
                .doesNotContain("dax");
        assertThat(allOutput(first, "echo one > /a/file; echo other > /b/file; df -k /a | tail -1 | wc -l"))
                .isEqualTo("1");
        Container second = container("second", volume(image, "/elsewhere", false));
        assertThat(allOutput(second, "cat /elsewhere/file; echo two >> /elsewhere/file"))
                .isEqualTo("one");
        assertThat(allOutput(first, "cat /a/file")).isEqualTo("one\ntwo");
        first.delete();
        second.delete();
        for (int round = 0; round < 3; round++) {
            Container again = container("again", volume(image, "/a", false));
            assertThat(allOutput(again, "cat /a/file; ls /sys/block | grep -c pmem"))
                    .isEqualTo("one\ntwo\n2");
            again.delete();
        }
        sandbox.delete();
        sandbox = run("next");
        Container next = container("next", volume(other, "/b", true), volume(image, "/a", true));
        assertThat(allOutput(next, "cat /b/file /a/file; echo x > /a/new"))
                .startsWith("other\none\ntwo\n")
                .contains("Read-only file system");
    }

    @Test
    void aReadOnlyOneIsNeverWritten() throws IOException {
        Path image = withPages("disk.img", 32);
        byte[] before = Files.readAllBytes(image);
        Container container = container("c", volume(image, "/a", true));
        assertThat(allOutput(container, "grep ' /a ' /proc/self/mounts"))
                .contains(" ro,")
                .contains("dax=always");
        assertThat(allOutput(container, "cat /sys/block/pmem0/ro")).isEqualTo("1");
        assertThatThrownBy(() -> container("d", volume(image, "/a", false)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("is in this sandbox as read-only already");
        assertThat(sandbox.containers()).extracting(Container::id).containsExactly("c");
        sandbox.delete();
        assertThat(Files.readAllBytes(image)).isEqualTo(before);
    }

    @Test
    void aContainerThatFailsLeavesItForTheNext() throws IOException {
        Path image = ext4("disk.img", 32, 4096);
        Path empty = Files.createFile(directory.resolve("empty.img"));
        try (RandomAccessFile file = new RandomAccessFile(empty.toFile(), "rw")) {
            file.setLength(4 << 20);
        }
        assertThatThrownBy(() -> container("c", volume(image, "/a", false), volume(empty, "/b", false)))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("nvdimm");
        assertThat(sandbox.containers()).isEmpty();
        Container container = container("c", volume(image, "/a", false));
        assertThat(allOutput(container, "echo x > /a/x && cat /a/x")).isEqualTo("x");
    }

    @Test
    void whatCannotBeIsRefusedFirst() throws IOException {
        Path odd = Files.write(directory.resolve("odd.img"), new byte[(2 << 20) + 512]);
        refused(volume(odd, "/a", false), "no multiple of 2 MiB");
        refused(volume(directory.resolve("none"), "/a", false), "is no file or block device");
        refused(volume(ext4("large.img", 128, 4096), "/a", false), "more than GuestMemoryConfig.persistent");
        Path image = ext4("disk.img", 64, 4096);
        assertThatThrownBy(() -> container("c", volume(image, "/a", false), volume(image, "/b", true)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("is named twice");
        Container container = container("c", volume(image, "/a", false));
        Path second = ext4("second.img", 64, 4096);
        assertThatThrownBy(() -> container("d", volume(second, "/a", false)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("GuestMemoryConfig.persistent");
        assertThat(allOutput(container, "echo alive")).isEqualTo("alive");
        try (Sandbox plain = fixture.sandbox("plain")) {
            assertThatThrownBy(() -> plain.createContainer(ContainerConfig.builder("c")
                            .rootfs(RootFs.directory(fixture.rootfs))
                            .command("true")
                            .mounts(volume(image, "/a", false))
                            .build()))
                    .isInstanceOf(InvalidConfigException.class)
                    .hasMessageContaining("needs a sandbox with room for it");
        }
    }

    private void refused(Mount mount, String why) {
        assertThatThrownBy(() -> container("c", mount))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining(why);
        assertThat(sandbox.containers()).isEmpty();
    }
}
