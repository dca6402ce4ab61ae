// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where the guest's memory comes from, and how it can grow.
 *
 * @param slots how many times memory can be plugged in (Kata's {@code memory_slots})
 * @param max the most that the guest can have after plugging; empty: what it has at the start
 * @param hugepages whether it is taken from {@code /dev/hugepages}
 * @param preallocate whether all of it is taken from the host at the start
 * @param locked whether it is never swapped
 * @param fileDirectory where the file lies that backs it, shared with other processes; empty: anonymous
 * @param virtioMem whether it grows and shrinks by a virtio-mem device instead of pluggable modules
 * @param balloon whether the guest reports free memory, which goes back to the host (virtio-balloon, free page reporting)
 * @param persistent how much persistent memory can be plugged in ({@link Mount.Persistent}), all files together, in up to 16
 *     files; 0: none. It takes addresses of the guest, no memory
 */
public record GuestMemoryConfig(
        int slots,
        Optional<MemorySize> max,
        boolean hugepages,
        boolean preallocate,
        boolean locked,
        Optional<Path> fileDirectory,
        boolean virtioMem,
        boolean balloon,
        MemorySize persistent) {
    private static final int MAX_SLOTS = 256;
    private static final GuestMemoryConfig DEFAULTS = builder().build();

    public GuestMemoryConfig {
        if (slots < 0 || slots > MAX_SLOTS) {
            throw new InvalidConfigException("memory slots", Integer.toString(slots), "must be 0 to " + MAX_SLOTS);
        }
    }

    public static GuestMemoryConfig defaults() {
        return DEFAULTS;
    }

    public static Builder builder() {
        return new Builder();
    }

    /** Collects the settings of a {@link GuestMemoryConfig}; not thread-safe. */
    public static final class Builder {
        private int slots = 10;
        private @Nullable MemorySize max;
        private boolean hugepages;
        private boolean preallocate;
        private boolean locked;
        private @Nullable Path fileDirectory;
        private boolean virtioMem;
        private boolean balloon;
        private MemorySize persistent = MemorySize.ofBytes(0);

        private Builder() {}

        /** Default: 10. */
        public Builder slots(int count) {
            slots = count;
            return this;
        }

        /** Default: what the host has. */
        public Builder max(MemorySize most) {
            max = most;
            return this;
        }

        /** Default: false. */
        public Builder hugepages(boolean used) {
            hugepages = used;
            return this;
        }

        /** Default: false. */
        public Builder preallocate(boolean atStart) {
            preallocate = atStart;
            return this;
        }

        /** Default: false. */
        public Builder locked(boolean neverSwapped) {
            locked = neverSwapped;
            return this;
        }

        /** Default: anonymous memory. */
        public Builder fileDirectory(Path directory) {
            fileDirectory = directory;
            return this;
        }

        /** Default: false. */
        public Builder virtioMem(boolean used) {
            virtioMem = used;
            return this;
        }

        /** Default: false. */
        public Builder balloon(boolean present) {
            balloon = present;
            return this;
        }

        /** Default: none. */
        public Builder persistent(MemorySize most) {
            persistent = most;
            return this;
        }

        public GuestMemoryConfig build() {
            return new GuestMemoryConfig(
                    slots,
                    Optional.ofNullable(max),
                    hugepages,
                    preallocate,
                    locked,
                    Optional.ofNullable(fileDirectory),
                    virtioMem,
                    balloon,
                    persistent);
        }
    }
}
