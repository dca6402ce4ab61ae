// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The setup header of an x86 bzImage (Linux boot protocol, Documentation/arch/x86/boot.rst).
 *
 * @param release the kernel's release, for example {@code 6.1.0-56-cloud-amd64}
 * @param payloadOffset where the compressed vmlinux begins in the file
 * @param payloadLength with the four bytes of uncompressed size that the kernel's build appends for most formats
 */
record BzImage(String release, long payloadOffset, long payloadLength) {
    private static final int HEADER = 0x260;
    private static final int BOOT_FLAG = 0x1fe;
    private static final int MAGIC = 0x202;
    private static final int VERSION = 0x206;
    private static final int KERNEL_VERSION = 0x20e;
    private static final int PAYLOAD_OFFSET = 0x248;
    private static final int PAYLOAD_LENGTH = 0x24c;
    private static final int HDRS = 0x53726448;
    private static final int FIRST_WITH_PAYLOAD = 0x208;

    static boolean isBzImage(ByteSource file) throws IOException {
        return file.has(0, HEADER)
                && file.read(MAGIC, 4, "the boot header").getInt() == HDRS
                && file.read(BOOT_FLAG, 2, "the boot flag").getShort() == (short) 0xaa55;
    }

    static BzImage read(ByteSource file) throws IOException {
        ByteBuffer header = file.read(0, HEADER, "the setup header");
        int version = Short.toUnsignedInt(header.getShort(VERSION));
        if (version < FIRST_WITH_PAYLOAD) {
            throw new MalformedException(
                    String.format("boot protocol %d.%02d is too old", version >> 8, version & 0xff));
        }
        int setupSectors = Byte.toUnsignedInt(header.get(0x1f1));
        long protectedMode = ((setupSectors == 0 ? 4 : setupSectors) + 1) * 512L;
        long offset = protectedMode + Integer.toUnsignedLong(header.getInt(PAYLOAD_OFFSET));
        long length = Integer.toUnsignedLong(header.getInt(PAYLOAD_LENGTH));
        if (length < 16 || !file.has(offset, length)) {
            throw new MalformedException(
                    "truncated: the payload would be " + length + " bytes at " + offset + " of " + file.size());
        }
        return new BzImage(readRelease(file, header), offset, length);
    }

    private static String readRelease(ByteSource file, ByteBuffer header) throws IOException {
        long at = 0x200L + Short.toUnsignedInt(header.getShort(KERNEL_VERSION));
        int length = (int) Math.min(256, Math.max(0, file.size() - at));
        String text = new String(file.read(at, length, "the version").array(), StandardCharsets.US_ASCII);
        return KernelImage.checkRelease(text.split("[ \0]", 2)[0]);
    }
}
