// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.GuestRoot;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.RootDisk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class GivenRootsTest {
    private static final int MIB = 1 << 20;

    @TempDir
    private Path folder;

    private TestHost testHost;
    private final TestHost.RecordedPhases phases = new TestHost.RecordedPhases();

    @BeforeEach
    void makeHost() throws IOException {
        testHost = new TestHost(Files.createDirectory(folder.resolve("host")));
    }

    private GuestImage image(Optional<Path> kernel, GuestRoot root) {
        return new CachedGuestImages(new ImageCache(folder.resolve("cache")), testHost.host())
                .guestImage(kernel, root, phases, Deadline.after(Duration.ofSeconds(30)));
    }

    /** A kernel with all drivers built in, as Kata's: no modules lie beside it. */
    private Path kernelWithoutModules() throws IOException {
        String kernel = new String(KernelBuilder.vmlinux(200_000, 9), ISO_8859_1)
                .replace(KernelBuilder.RELEASE, "9" + KernelBuilder.RELEASE.substring(1));
        return Files.write(
                Files.createDirectories(folder.resolve("kata")).resolve("vmlinux"), kernel.getBytes(ISO_8859_1));
    }

    private Path file(int size, int at, byte... bytes) throws IOException {
        ByteBuffer content = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        content.put(at, bytes);
        return Files.write(folder.resolve("root.img"), content.array());
    }

    private Path ext4() throws IOException {
        return file(2 * MIB, 1024 + 56, (byte) 0x53, (byte) 0xef);
    }

    @Test
    void anInitrdOfTheUserIsTakenAsItIs() throws IOException {
        Path initrd = Files.writeString(folder.resolve("initrd"), "anything");
        GuestImage image = image(Optional.empty(), GuestRoot.initrd(initrd));
        assertThat(image)
                .isEqualTo(
                        new GuestImage(image.kernel(), Optional.of(initrd), Optional.empty(), KernelBuilder.RELEASE));
        assertThat(Files.readAllBytes(image.kernel())).isEqualTo(KernelBuilder.vmlinux(300_000, 7));
        assertThat(image(Optional.empty(), GuestRoot.initrd(initrd))).isEqualTo(image);
        assertThat(phases.names()).containsExactly("kernel.unpack");
    }

    @Test
    void aKernelWithModulesReachesTheImageByOurInitrd() throws IOException {
        Path file = ext4();
        GuestImage image = image(Optional.empty(), GuestRoot.image(file));
        assertThat(image.disk()).contains(new RootDisk(file, false, "ext4", 0));
        assertThat(image.initrd())
                .isEqualTo(image(Optional.empty(), GuestRoot.builtIn()).initrd());
    }

    @Test
    void aKernelWithoutModulesMountsTheImageItself() throws IOException {
        Path file = ext4();
        GuestImage image = image(Optional.of(kernelWithoutModules()), GuestRoot.nvdimm(file));
        assertThat(image.initrd()).isEmpty();
        assertThat(image.disk()).contains(new RootDisk(file, true, "ext4", 0));
        assertThat(image.kernelRelease()).startsWith("9");
    }

    @Test
    void theFileSystemIsFoundInTheFirstPartition() throws IOException {
        Path file = file(4 * MIB, 510, (byte) 0x55, (byte) 0xaa);
        byte[] bytes = Files.readAllBytes(file);
        ByteBuffer table = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        table.putInt(446 + 8, 3 * MIB / 512).putInt(3 * MIB + 1024, 0xe0f5e1e2);
        Files.write(file, bytes);
        assertThat(image(Optional.empty(), GuestRoot.image(file)).disk())
                .contains(new RootDisk(file, false, "erofs", 1));
        table.putInt(446 + 8, -1); // beyond the end of the file
        Files.write(file, bytes);
        refused(file, "has no ext4 and no EROFS, neither as a whole nor in its first partition");
    }

    private void refused(Path file, String why) {
        assertThatThrownBy(() -> image(Optional.empty(), GuestRoot.image(file)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("guest image " + file + ": " + why);
    }

    @Test
    void whatIsNoImageIsRefused() throws IOException {
        refused(folder.resolve("none"), "there is no such file");
        refused(file(100, 0), "has no ext4 and no EROFS, neither as a whole nor in its first partition");
        refused(file(0, 0), "has no ext4 and no EROFS, neither as a whole nor in its first partition");
    }
}
