// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;

/** Random access to bytes of a file or of an array, little-endian, with every access checked against the end. */
final class ByteSource {
    private interface Reader {
        int read(ByteBuffer target, long offset) throws IOException;
    }

    private final Reader reader;
    private final long size;

    private ByteSource(Reader reader, long size) {
        this.reader = reader;
        this.size = size;
    }

    /** The file stays open until the caller closes it. */
    static ByteSource of(FileChannel file) throws IOException {
        return new ByteSource(file::read, file.size());
    }

    static ByteSource of(byte[] bytes) {
        return new ByteSource(
                (target, offset) -> {
                    int n = (int) Math.min(target.remaining(), bytes.length - offset);
                    target.put(bytes, (int) offset, n);
                    return n;
                },
                bytes.length);
    }

    long size() {
        return size;
    }

    boolean has(long offset, long length) {
        return offset >= 0 && length >= 0 && offset <= size && length <= size - offset;
    }

    /**
     * @param length at most what the caller is ready to hold in memory
     * @throws MalformedException if the bytes reach past the end
     */
    ByteBuffer read(long offset, int length, String what) throws IOException {
        if (!has(offset, length)) {
            throw new MalformedException(
                    "truncated: " + what + " would be " + length + " bytes at " + offset + " of " + size);
        }
        ByteBuffer buffer = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (reader.read(buffer, offset + buffer.position()) <= 0) {
                throw new MalformedException("ended while " + what + " was read");
            }
        }
        return buffer.flip();
    }
}
