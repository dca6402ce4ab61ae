// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** A part of an open file as a stream. Leaves the file's position alone, and the file open. */
final class SliceInputStream extends InputStream {
    private final FileChannel file;
    private final long end;
    private long position;

    SliceInputStream(FileChannel file, long offset, long length) {
        this.file = file;
        this.position = offset;
        this.end = offset + length;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        int n = (int) Math.min(length, end - position);
        int read = n <= 0 ? -1 : file.read(ByteBuffer.wrap(target, offset, n), position);
        position += Math.max(0, read);
        return read;
    }

    @Override
    public int available() {
        return (int) Math.min(Integer.MAX_VALUE, end - position);
    }
}
