// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import static io.virtcontainers.linux.Native.LIBC;

import jnr.ffi.Pointer;

/** The array of {@code struct pollfd} of poll(2): a descriptor, the events wanted, the events seen. Not thread-safe. */
final class PollSet {
    static final int FOR_EVER = Integer.MAX_VALUE;

    private static final int ENTRY_BYTES = 8;
    private static final int EVENTS_OFFSET = 4;
    private static final int SEEN_OFFSET = 6;
    private static final short POLLIN = 1;

    private Pointer entries = Native.allocate(64 * ENTRY_BYTES);
    private int capacity = 64;
    private int size;
    private boolean valid;

    void begin(int first) {
        size = 0;
        add(first);
    }

    /** @param fd a negative one is never ready */
    void add(int fd) {
        if (size == capacity) {
            Pointer larger = Native.allocate(2 * capacity * ENTRY_BYTES);
            entries.transferTo(0, larger, 0, (long) capacity * ENTRY_BYTES);
            entries = larger;
            capacity *= 2;
        }
        long at = (long) size * ENTRY_BYTES;
        entries.putInt(at, fd);
        entries.putShort(at + EVENTS_OFFSET, POLLIN);
        entries.putShort(at + SEEN_OFFSET, (short) 0);
        size++;
    }

    void await(int maxMillis) {
        int ready = LIBC.poll(entries, size, maxMillis == FOR_EVER ? -1 : maxMillis);
        int errno = ready < 0 ? Native.errno() : 0;
        // After an error the answers mean nothing.
        valid = ready > 0;
        if (errno != 0 && errno != Native.EINTR) {
            throw new LinuxException(Native.problem("poll", errno));
        }
    }

    /** Whether an entry can be read now, or has ended. */
    boolean isReady(int index) {
        return valid && entries.getShort((long) index * ENTRY_BYTES + SEEN_OFFSET) != 0;
    }
}
