// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.Optional;

/**
 * Where the guest's memory comes from, and how it can grow.
 *
 * @param slots how many times memory can be plugged in (Kata's {@code memory_slots})
 * @param max the most that the guest can have after plugging; empty: what the host has
 * @param hugepages whether it is taken from {@code /dev/hugepages}
 * @param preallocate whether all of it is taken from the host at the start
 * @param locked whether it is never swapped
 * @param fileDirectory where the file lies that backs it, shared with other processes; empty: anonymous
 * @param virtioMem whether it grows and shrinks by a virtio-mem device instead of pluggable modules
 * @param balloon whether the guest reports free memory, which goes back to the host (virtio-balloon, free page reporting)
 */
public record GuestMemoryConfig(
        int slots,
        Optional<MemorySize> max,
        boolean hugepages,
        boolean preallocate,
        boolean locked,
        Optional<Path> fileDirectory,
        boolean virtioMem,
        boolean balloon) {
    private static final GuestMemoryConfig DEFAULTS =
            new GuestMemoryConfig(10, Optional.empty(), false, false, false, Optional.empty(), false, false);

    public static GuestMemoryConfig defaults() {
        return DEFAULTS;
    }
}
