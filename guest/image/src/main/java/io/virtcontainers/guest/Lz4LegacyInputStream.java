// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/**
 * Decodes the lz4 legacy frame, which the kernel's build uses: a magic number, then blocks of up to 8 MiB, each after
 * its compressed size. The frame has no end mark, so the length of the input must be known; four bytes after the last
 * block are the uncompressed size that the kernel's build appends.
 */
final class Lz4LegacyInputStream extends InputStream {
    static final int MAX_BLOCK = 8 << 20;

    private static final int MAGIC_SIZE = 4;
    private static final int SIZE_SIZE = 4;
    private static final int MIN_MATCH = 4;

    private final InputStream in;
    private long left;
    private byte[] packed = new byte[0];
    private byte[] block = new byte[0];
    private int position;
    private int limit;

    /** @param length of the input, with the magic number */
    Lz4LegacyInputStream(InputStream in, long length) throws IOException {
        this.in = in;
        this.left = length - MAGIC_SIZE;
        if (in.readNBytes(MAGIC_SIZE).length < MAGIC_SIZE) {
            throw new EOFException("truncated");
        }
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
        while (position == limit) {
            if (!nextBlock()) {
                return -1;
            }
        }
        int n = Math.min(length, limit - position);
        System.arraycopy(block, position, target, offset, n);
        position += n;
        return n;
    }

    private boolean nextBlock() throws IOException {
        if (left <= SIZE_SIZE) {
            return false; // at its end, or before the appended size
        }
        byte[] size = in.readNBytes(SIZE_SIZE);
        if (size.length < SIZE_SIZE) {
            throw new EOFException("truncated");
        }
        long packedSize = Byte.toUnsignedInt(size[0])
                | Byte.toUnsignedInt(size[1]) << 8
                | Byte.toUnsignedInt(size[2]) << 16
                | Byte.toUnsignedLong(size[3]) << 24;
        left -= SIZE_SIZE;
        if (packedSize > left || packedSize > MAX_BLOCK + MAX_BLOCK / 255 + 16) {
            throw new MalformedException("an lz4 block of " + packedSize + " bytes where " + left + " are left");
        }
        if (packed.length < packedSize) {
            packed = new byte[(int) packedSize];
        }
        if (in.readNBytes(packed, 0, (int) packedSize) < packedSize) {
            throw new EOFException("truncated");
        }
        left -= packedSize;
        if (block.length == 0) {
            block = new byte[MAX_BLOCK];
        }
        position = 0;
        limit = decode(packed, (int) packedSize, block);
        return true;
    }

    /** Decodes one lz4 block; both ends are checked before every copy. */
    private static int decode(byte[] from, int fromEnd, byte[] to) throws MalformedException {
        int at = 0;
        int out = 0;
        while (at < fromEnd) {
            int token = Byte.toUnsignedInt(from[at++]);
            int literals = token >>> 4;
            if (literals == 15) {
                int more;
                do {
                    more = at < fromEnd ? Byte.toUnsignedInt(from[at++]) : fail("a length is cut off");
                    literals += more;
                } while (more == 255);
            }
            if (literals > fromEnd - at || literals > to.length - out) {
                fail("literals reach past the end");
            }
            System.arraycopy(from, at, to, out, literals);
            at += literals;
            out += literals;
            if (at == fromEnd) {
                return out; // the last sequence has literals only
            }
            if (fromEnd - at < 2) {
                fail("an offset is cut off");
            }
            int distance = Byte.toUnsignedInt(from[at]) | Byte.toUnsignedInt(from[at + 1]) << 8;
            at += 2;
            int length = token & 15;
            if (length == 15) {
                int more;
                do {
                    more = at < fromEnd ? Byte.toUnsignedInt(from[at++]) : fail("a length is cut off");
                    length += more;
                } while (more == 255);
            }
            length += MIN_MATCH;
            if (distance == 0 || distance > out || length > to.length - out) {
                fail("a match reaches outside the block");
            }
            if (distance >= length) {
                System.arraycopy(to, out - distance, to, out, length);
                out += length;
            } else {
                for (int end = out + length; out < end; out++) {
                    to[out] = to[out - distance];
                }
            }
        }
        return out;
    }

    private static int fail(String what) throws MalformedException {
        throw new MalformedException("damaged lz4 data: " + what);
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
