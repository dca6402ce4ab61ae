// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/** The last bytes of an endless stream that a guest or QEMU writes. Its size never changes. Thread-safe. */
final class TailBuffer {
    private final byte[] ring;
    private long written;

    TailBuffer(int capacity) {
        this.ring = new byte[capacity];
    }

    synchronized void append(byte[] bytes, int offset, int length) {
        int skipped = Math.max(0, length - ring.length);
        written += skipped;
        int from = offset + skipped;
        int left = length - skipped;
        while (left > 0) {
            int at = (int) (written % ring.length);
            int part = Math.min(left, ring.length - at);
            System.arraycopy(bytes, from, ring, at, part);
            written += part;
            from += part;
            left -= part;
        }
    }

    void append(ByteBuf bytes) {
        byte[] copy = new byte[bytes.readableBytes()];
        bytes.readBytes(copy);
        append(copy, 0, copy.length);
    }

    /**
     * What is kept, as text that is safe to print: control characters, with which a guest could steer a terminal, become
     * {@code ?}; a first line that has lost its beginning is left out.
     */
    synchronized String text() {
        int length = (int) Math.min(written, ring.length);
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = ring[(int) ((written - length + i) % ring.length)];
        }
        String text = printable(new String(bytes, StandardCharsets.UTF_8));
        int firstLineEnd = text.indexOf('\n');
        return written > ring.length && firstLineEnd >= 0 ? text.substring(firstLineEnd + 1) : text;
    }

    static String printable(String text) {
        StringBuilder safe = new StringBuilder(text.length());
        text.codePoints()
                .filter(c -> c != '\r')
                .map(c -> c == '\n' || c == '\t' || !isUnprintable(c) ? c : '?')
                .forEach(safe::appendCodePoint);
        return safe.toString();
    }

    // Besides ISO controls: format characters, as those that reverse the direction of text can forge what a line says.
    private static boolean isUnprintable(int codePoint) {
        return Character.isISOControl(codePoint) || Character.getType(codePoint) == Character.FORMAT;
    }
}
