// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.compressors.lz4.BlockLZ4CompressorOutputStream;
import org.tukaani.xz.FilterOptions;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.X86Options;
import org.tukaani.xz.XZ;
import org.tukaani.xz.XZOutputStream;

/** Makes kernels that no machine boots, but that are packed as real ones are. */
final class KernelBuilder {
    static final String RELEASE = "6.1.0-99-test-amd64";

    enum Packing {
        GZIP,
        XZ,
        LZ4,
        ZSTD
    }

    private KernelBuilder() {}

    /** A vmlinux with a PVH note, a banner, and a mixture of repeated and random bytes. */
    static byte[] vmlinux(int size, long seed) {
        byte[] filling = new byte[size];
        Random random = new Random(seed);
        random.nextBytes(filling);
        Arrays.fill(filling, size / 3, size / 2, (byte) 0x90);
        for (int i = size / 2; i < size / 2 + size / 4; i++) {
            filling[i] = filling[i - 1000];
        }
        byte[] banner =
                ("Linux version " + RELEASE + " (builder@example) #1 SMP\n").getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(banner, 0, filling, size - 500, banner.length);
        return new ElfBuilder().pvhNote().extra(filling).build();
    }

    static byte[] bzImage(byte[] vmlinux, Packing packing) {
        return bzImage(pack(vmlinux, packing), RELEASE);
    }

    static byte[] bzImage(byte[] payload, String release) {
        int setupSectors = 3;
        int protectedMode = (setupSectors + 1) * 512;
        int payloadOffset = 700;
        ByteBuffer image = ByteBuffer.allocate(protectedMode + payloadOffset + payload.length + 333)
                .order(ByteOrder.LITTLE_ENDIAN);
        image.put(0x1f1, (byte) setupSectors);
        image.putShort(0x1fe, (short) 0xaa55);
        image.putInt(0x202, 0x53726448);
        image.putShort(0x206, (short) 0x20f);
        image.putShort(0x20e, (short) 0x200);
        image.put(0x400, (release + " (builder@example) #1 SMP\0").getBytes(StandardCharsets.US_ASCII));
        image.putInt(0x248, payloadOffset);
        image.putInt(0x24c, payload.length);
        image.put(protectedMode + payloadOffset, payload);
        return image.array();
    }

    /** As the kernel's build does: all but gzip with the size appended. */
    static byte[] pack(byte[] vmlinux, Packing packing) {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            switch (packing) {
                case GZIP -> {
                    try (OutputStream gzip = new GZIPOutputStream(out)) {
                        gzip.write(vmlinux);
                    }
                    return out.toByteArray();
                }
                case XZ -> {
                    LZMA2Options options = new LZMA2Options(1);
                    try (OutputStream xz =
                            new XZOutputStream(out, new FilterOptions[] {new X86Options(), options}, XZ.CHECK_CRC32)) {
                        xz.write(vmlinux);
                    }
                }
                case LZ4 -> out.writeBytes(lz4Legacy(vmlinux, 1 << 20));
                case ZSTD -> out.writeBytes(Zstd.compress(vmlinux, 3));
            }
            out.writeBytes(int32(vmlinux.length));
            return out.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] lz4Legacy(byte[] content, int blockSize) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(int32(0x184c2102));
        for (int at = 0; at < content.length; at += blockSize) {
            ByteArrayOutputStream block = new ByteArrayOutputStream();
            try (OutputStream lz4 = new BlockLZ4CompressorOutputStream(block)) {
                lz4.write(content, at, Math.min(blockSize, content.length - at));
            }
            out.writeBytes(int32(block.size()));
            out.writeBytes(block.toByteArray());
        }
        return out.toByteArray();
    }

    static byte[] int32(int value) {
        return ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array();
    }
}
