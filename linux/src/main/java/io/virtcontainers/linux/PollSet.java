// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

/** The array of {@code struct pollfd} of poll(2): a descriptor, the events wanted, the events seen. Not thread-safe. */
final class PollSet implements AutoCloseable {
    static final int FOR_EVER = Integer.MAX_VALUE;

    private static final int ENTRY_BYTES = 8;
    private static final int EVENTS_OFFSET = 4;
    private static final int SEEN_OFFSET = 6;
    private static final short POLLIN = 1;
    private static final int FIRST_CAPACITY = 64;

    private final Arena arena = new Arena();
    private long entries;
    private int capacity;
    private int size;
    private boolean valid;

    /** Begins anew with room for so many. */
    void begin(int count) {
        if (count > capacity) {
            capacity = Math.max(FIRST_CAPACITY, 2 * count);
            arena.close();
            entries = arena.allocate(capacity * ENTRY_BYTES);
        }
        size = 0;
    }

    void add(int fd) {
        long entry = entries + (long) size * ENTRY_BYTES;
        Native.MEMORY.putInt(entry, fd);
        Native.MEMORY.putShort(entry + EVENTS_OFFSET, POLLIN);
        Native.MEMORY.putShort(entry + SEEN_OFFSET, (short) 0);
        size++;
    }

    void await(int maxMillis) {
        int ready = (int) Native.call("poll", entries, size, maxMillis == FOR_EVER ? -1 : maxMillis);
        int errno = ready < 0 ? Native.errno() : 0;
        // After an error the answers mean nothing.
        valid = ready > 0;
        if (errno != 0 && errno != Native.EINTR) {
            throw new LinuxException(Native.problem("poll", errno));
        }
    }

    /** Whether an entry can be read now, or has ended. */
    boolean isReady(int index) {
        return valid && Native.MEMORY.getShort(entries + (long) index * ENTRY_BYTES + SEEN_OFFSET) != 0;
    }

    @Override
    public void close() {
        arena.close();
    }
}
