// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/**
 * An amount of memory, zero or more bytes.
 *
 * @param bytes the amount in bytes
 */
public record MemorySize(long bytes) implements Comparable<MemorySize> {
    private static final long MIB = 1L << 20;

    public MemorySize {
        if (bytes < 0) {
            throw new InvalidConfigException("memory size", bytes + " bytes", "is negative");
        }
    }

    public static MemorySize mib(long mebibytes) {
        try {
            return new MemorySize(Math.multiplyExact(mebibytes, MIB));
        } catch (ArithmeticException e) {
            throw new InvalidConfigException("memory size", mebibytes + " MiB", "does not fit in 63 bits");
        }
    }

    public static MemorySize gib(long gibibytes) {
        try {
            return mib(Math.multiplyExact(gibibytes, 1024L));
        } catch (ArithmeticException e) {
            throw new InvalidConfigException("memory size", gibibytes + " GiB", "does not fit in 63 bits");
        }
    }

    public static MemorySize ofBytes(long bytes) {
        return new MemorySize(bytes);
    }

    /** Whole mebibytes, rounded down. */
    public long toMib() {
        return bytes / MIB;
    }

    @Override
    public int compareTo(MemorySize other) {
        return Long.compare(bytes, other.bytes);
    }

    @Override
    public String toString() {
        return bytes % MIB == 0 ? toMib() + " MiB" : bytes + " bytes";
    }
}
