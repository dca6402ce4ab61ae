// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The last 4 KiB of what a program appends to a file: there it says what went wrong. The file is emptied when it has grown
 * to 1 MiB.
 */
final class OutputTail {
    private static final int KEPT = 4096;
    private static final int LONGEST = 1 << 20;

    private final FileChannel file;
    private byte[] tail = new byte[0];
    private boolean complete = true;

    OutputTail(FileChannel file) {
        this.file = file;
    }

    /** To be called again and again while the program runs. */
    void keepShort() throws IOException {
        if (file.size() > LONGEST) {
            takeTail();
            file.truncate(0);
        }
    }

    private void takeTail() throws IOException {
        ByteBuffer end = ByteBuffer.allocate(KEPT);
        long size = file.size();
        int length = Math.max(0, file.read(end, Math.max(0, size - KEPT)));
        byte[] all = Arrays.copyOf(tail, tail.length + length);
        System.arraycopy(end.array(), 0, all, tail.length, length);
        complete &= size <= KEPT && all.length <= KEPT;
        tail = Arrays.copyOfRange(all, Math.max(0, all.length - KEPT), all.length);
    }

    /** For the end of an error message, and for once: empty if there was no output. */
    String describe() throws IOException {
        takeTail();
        String text = new String(tail, StandardCharsets.UTF_8).strip();
        return text.isEmpty() ? "" : "; it wrote: " + (complete ? "" : "...") + text;
    }
}
