// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.util.ArrayList;
import java.util.List;

/** Memory for native calls, zeroed, and freed all at once. Not thread-safe. */
final class Arena implements AutoCloseable {
    private static final int POINTER_BYTES = 8;

    private final List<Long> addresses = new ArrayList<>();

    long allocate(int bytes) {
        long address = Native.MEMORY.allocateMemory(bytes, true);
        if (address == 0) {
            throw new LinuxException("no memory for " + bytes + " bytes");
        }
        addresses.add(address);
        return address;
    }

    /** A string that ends with NUL. */
    long string(String text) {
        int nul = text.indexOf('\0');
        if (nul >= 0) {
            throw new LinuxException("what is passed to a program cannot contain the character NUL, as after: "
                    + text.substring(0, nul));
        }
        byte[] bytes = text.getBytes(Native.CHARSET);
        long address = allocate(bytes.length + 1);
        Native.MEMORY.putByteArray(address, bytes, 0, bytes.length);
        return address;
    }

    /** An array of strings that ends with a null pointer. */
    long strings(List<String> texts) {
        long array = allocate((texts.size() + 1) * POINTER_BYTES);
        for (int i = 0; i < texts.size(); i++) {
            Native.MEMORY.putLong(array + (long) i * POINTER_BYTES, string(texts.get(i)));
        }
        return array;
    }

    @Override
    public void close() {
        addresses.forEach(Native.MEMORY::freeMemory);
        addresses.clear();
    }
}
