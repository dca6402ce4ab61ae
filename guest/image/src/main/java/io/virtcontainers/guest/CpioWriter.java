// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Writes the archive that Linux unpacks as its initramfs: cpio "newc". The same calls give the same bytes: owner root,
 * time zero, inodes counted. The caller writes folders before what is in them.
 */
final class CpioWriter implements Closeable {
    private static final byte[] ZEROS = new byte[512];
    private static final int HEADER = 110;

    private final OutputStream out;
    private long written;
    private int nextInode = 1;

    CpioWriter(OutputStream out) {
        this.out = out;
    }

    void directory(String path, int permissions) throws IOException {
        header(nextInode++, path, FileType.DIRECTORY.bits() | permissions, 2, 0, 0, 0);
    }

    void file(String path, int permissions, Content content) throws IOException {
        header(nextInode++, path, FileType.REGULAR.bits() | permissions, 1, content.size(), 0, 0);
        content.writeTo(out);
        written += content.size();
        pad(4);
    }

    void characterDevice(String path, int permissions, int major, int minor) throws IOException {
        header(nextInode++, path, FileType.CHARACTER_DEVICE.bits() | permissions, 1, 0, major, minor);
    }

    /** @param path absolute; the archive has it without the first slash */
    private void header(int inode, String path, int mode, int links, int size, int major, int minor)
            throws IOException {
        byte[] name = (path.startsWith("/") ? path.substring(1) : path).getBytes(StandardCharsets.UTF_8);
        int[] fields = {inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, name.length + 1, 0};
        StringBuilder header = new StringBuilder(HEADER).append("070701");
        for (int field : fields) {
            header.append(String.format("%08x", field));
        }
        write(header.toString().getBytes(StandardCharsets.US_ASCII), HEADER);
        write(name, name.length);
        write(ZEROS, 1);
        pad(4);
    }

    private void pad(int alignment) throws IOException {
        write(ZEROS, (int) (-written & (alignment - 1)));
    }

    private void write(byte[] bytes, int length) throws IOException {
        out.write(bytes, 0, length);
        written += length;
    }

    /** Writes the end of the archive and closes the stream. */
    @Override
    public void close() throws IOException {
        try (out) {
            header(0, "TRAILER!!!", 0, 1, 0, 0, 0);
            pad(512);
        }
    }
}
