// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PushbackInputStream;
import java.nio.channels.ClosedByInterruptException;
import java.util.HexFormat;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.SingleXZInputStream;

/** Opens the compressed payload of a bzImage, by its magic number. */
final class KernelPayload {
    /** The kernel's build uses dictionaries of up to 128 MiB. */
    private static final int XZ_MEMORY_KIB = 160 << 10;

    /** For all formats but gzip, which has it already, the build appends the uncompressed size, little-endian. */
    private static final int APPENDED_SIZE = 4;

    private static final int BUFFER = 1 << 16;

    private KernelPayload() {}

    /** @throws MalformedException if the format is unknown or its header damaged */
    static InputStream open(InputStream payload, long length) throws IOException {
        try {
            return openDecoder(payload, length);
        } catch (ClosedByInterruptException | MalformedException e) {
            throw e;
        } catch (IOException | IllegalArgumentException e) {
            throw new MalformedException("damaged: " + e, e);
        }
    }

    private static InputStream openDecoder(InputStream payload, long length) throws IOException {
        PushbackInputStream in = new PushbackInputStream(new BufferedInputStream(payload, BUFFER), 6);
        byte[] magic = in.readNBytes(6);
        in.unread(magic);
        if (startsWith(magic, 0x1f, 0x8b)) {
            return new GZIPInputStream(in, BUFFER);
        }
        if (startsWith(magic, 0xfd, '7', 'z', 'X', 'Z', 0)) {
            return new SingleXZInputStream(in, XZ_MEMORY_KIB); // stops by itself at the end of the stream
        }
        if (startsWith(magic, 0x02, 0x21, 0x4c, 0x18)) {
            return new Lz4LegacyInputStream(in, length);
        }
        if (startsWith(magic, 0x28, 0xb5, 0x2f, 0xfd)) {
            // Exactly the frame: the decoder would take the appended size for the beginning of another one.
            return ZstdStreams.open(new LimitedInputStream(in, length - APPENDED_SIZE));
        }
        throw new MalformedException("its compression is not supported: bytes "
                + HexFormat.of().formatHex(magic) + " are neither gzip, xz, lz4 nor zstd");
    }

    private static boolean startsWith(byte[] bytes, int... magic) {
        for (int i = 0; i < magic.length; i++) {
            if (i >= bytes.length || Byte.toUnsignedInt(bytes[i]) != magic[i]) {
                return false;
            }
        }
        return true;
    }
}
