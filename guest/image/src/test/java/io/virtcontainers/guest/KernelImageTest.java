// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.guest.KernelBuilder.Packing;
import io.virtcontainers.spi.Deadline;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

final class KernelImageTest {
    @TempDir
    private Path folder;

    private final Deadline deadline = Deadline.after(Duration.ofSeconds(60));

    private Path file(byte[] content) throws IOException {
        return Files.write(folder.resolve("kernel"), content);
    }

    private byte[] unpack(byte[] kernel) throws IOException {
        Path vmlinux = folder.resolve("vmlinux");
        KernelImage.unpack(file(kernel), vmlinux, deadline);
        return Files.readAllBytes(vmlinux);
    }

    @ParameterizedTest
    @EnumSource
    void unpacksEveryCompression(Packing packing) throws IOException {
        byte[] vmlinux = KernelBuilder.vmlinux(5 << 19, 1); // three lz4 blocks
        byte[] kernel = KernelBuilder.bzImage(vmlinux, packing);
        assertThat(Arrays.equals(unpack(kernel), vmlinux)).isTrue();
        assertThat(KernelImage.release(file(kernel), deadline)).isEqualTo(KernelBuilder.RELEASE);
    }

    @Test
    void takesAVmlinuxAsItIs() throws IOException {
        byte[] vmlinux = KernelBuilder.vmlinux(300_000, 2);
        assertThat(unpack(vmlinux)).isEqualTo(vmlinux);
        assertThat(KernelImage.release(file(vmlinux), deadline)).isEqualTo(KernelBuilder.RELEASE);
    }

    @ParameterizedTest
    @ValueSource(ints = {130_000, 131_000, 131_400, 131_500, 131_600, 200_000})
    void findsTheVersionWhereverTheReadsAreSplit(int size) throws IOException {
        assertThat(KernelImage.release(file(KernelBuilder.vmlinux(size, 3)), deadline))
                .isEqualTo(KernelBuilder.RELEASE);
    }

    @Test
    void lz4WithoutTheAppendedSizeIsFine() throws IOException {
        byte[] vmlinux = KernelBuilder.vmlinux(100_000, 4);
        assertThat(unpack(KernelBuilder.bzImage(KernelBuilder.lz4Legacy(vmlinux, 10_000), KernelBuilder.RELEASE)))
                .isEqualTo(vmlinux);
    }

    @Test
    void saysWhyAKernelCannotBootDirectly() throws IOException {
        byte[] plain = new ElfBuilder().note("Xen", 6, new byte[4]).build();
        assertThatThrownBy(() -> unpack(KernelBuilder.bzImage(plain, Packing.LZ4)))
                .isInstanceOf(MalformedException.class)
                .hasMessageContaining("PVH boot is not possible");
        byte[] arm = new ElfBuilder().machine(ElfFile.MACHINE_AARCH64).pvhNote().build();
        assertThatThrownBy(() -> unpack(arm)).hasMessageContaining("not a kernel for x86_64");
    }

    @Test
    void saysWhatIsWrongWithOtherFiles() {
        assertThatThrownBy(() -> unpack(new byte[10_000])).hasMessageContaining("neither a bzImage nor an ELF");
        assertThatThrownBy(() -> unpack(new byte[0])).hasMessageContaining("neither a bzImage nor an ELF");
        assertThatThrownBy(() -> unpack(KernelBuilder.bzImage(new byte[100], KernelBuilder.RELEASE)))
                .hasMessageContaining("compression is not supported");
        assertThatThrownBy(() -> unpack(KernelBuilder.bzImage(new byte[100], "../../etc")))
                .hasMessageContaining("no kernel release");
        byte[] old = KernelBuilder.bzImage(KernelBuilder.vmlinux(5000, 5), Packing.GZIP);
        old[0x206] = 7;
        assertThatThrownBy(() -> unpack(old)).hasMessageContaining("too old");
        byte[] noKernel = KernelBuilder.bzImage(KernelBuilder.pack(new byte[5000], Packing.XZ), KernelBuilder.RELEASE);
        assertThatThrownBy(() -> unpack(noKernel)).hasMessageContaining("not an ELF vmlinux");
    }

    @ParameterizedTest
    @EnumSource
    void damagedKernelsGiveNothingButTheTypedError(Packing packing) {
        byte[] good = KernelBuilder.bzImage(KernelBuilder.vmlinux(20_000, 6), packing);
        Random random = new Random(packing.name().length());
        int errors = 0;
        for (int round = 0; round < 400; round++) {
            byte[] bad = round % 2 == 0 ? Arrays.copyOf(good, random.nextInt(good.length)) : good.clone();
            for (int i = 0; i < 4 && round % 2 == 1; i++) {
                int at = i < 2 ? 2700 + random.nextInt(64) : random.nextInt(good.length - 2700) + 2700;
                bad[Math.min(at, bad.length - 1)] = (byte) random.nextInt();
            }
            try {
                unpack(bad);
            } catch (MalformedException e) {
                errors++;
            } catch (IOException e) {
                throw new AssertionError("round " + round, e);
            }
        }
        assertThat(errors).isGreaterThan(250);
    }

    @Test
    void aBombEndsAtTheLimit() throws IOException {
        ByteArrayOutputStream bomb = new ByteArrayOutputStream();
        try (OutputStream gzip = new GZIPOutputStream(bomb)) {
            byte[] zeros = new byte[1 << 20];
            for (int i = 0; i < 257; i++) {
                gzip.write(zeros);
            }
        }
        assertThatThrownBy(() -> unpack(KernelBuilder.bzImage(bomb.toByteArray(), KernelBuilder.RELEASE)))
                .isInstanceOf(MalformedException.class)
                .hasMessageContaining("more than 256 MiB");
        Files.delete(folder.resolve("vmlinux"));
    }

    @Test
    void stopsAtTheDeadlineAndWhenInterrupted() throws IOException {
        Path kernel = file(KernelBuilder.bzImage(KernelBuilder.vmlinux(2 << 20, 7), Packing.LZ4));
        Path vmlinux = folder.resolve("vmlinux");
        assertThatThrownBy(() -> KernelImage.unpack(kernel, vmlinux, Deadline.after(Duration.ZERO)))
                .isInstanceOf(DeadlineExceededException.class);
        Waiter waiter = new Waiter(() -> {
            Thread.currentThread().interrupt();
            try {
                KernelImage.unpack(kernel, vmlinux, deadline);
            } catch (IOException e) {
                throw IoFailures.toVirtException("unpack", e);
            }
        });
        assertThat(waiter.failure()).isInstanceOf(CancelledException.class);
    }

    @Test
    void lz4BlocksThatReachOutsideAreRefused() throws IOException {
        for (byte[] block : new byte[][] {
            {(byte) 0xf0}, // a length that is cut off
            {0x50, 1, 2}, // five literals, two there
            {0x10, 1, 5, 0, 0}, // a match from before the start
            {0x10, 1, 0, 0, 0}, // distance zero
            {0x10, 1, 1}, // half an offset
        }) {
            ByteArrayOutputStream frame = new ByteArrayOutputStream();
            frame.writeBytes(KernelBuilder.int32(0x184c2102));
            frame.writeBytes(KernelBuilder.int32(block.length));
            frame.writeBytes(block);
            frame.writeBytes(new byte[5]);
            InputStream in = new Lz4LegacyInputStream(new ByteArrayInputStream(frame.toByteArray()), frame.size());
            assertThatThrownBy(in::readAllBytes).isInstanceOf(MalformedException.class);
        }
    }
}
