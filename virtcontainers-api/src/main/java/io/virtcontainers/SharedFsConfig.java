// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * How directories of the host are shared with the guest.
 *
 * @param type default {@link SharedFs#NONE}
 * @param daemon the program virtiofsd; empty: found on the host
 * @param cache virtiofsd's cache: {@code none}, {@code auto} or {@code always}
 * @param daxSize the size of the window through which the guest maps files of the host; 0: none
 * @param daemonArguments further arguments of virtiofsd
 * @param msize9p the most bytes in a packet of 9p, 4096 or more; Linux takes no more than 500 KiB of it, over virtio. Small
 *     ones are slow
 */
public record SharedFsConfig(
        SharedFs type,
        Optional<Path> daemon,
        String cache,
        MemorySize daxSize,
        List<String> daemonArguments,
        int msize9p) {
    private static final SharedFsConfig DEFAULTS =
            new SharedFsConfig(SharedFs.NONE, Optional.empty(), "auto", MemorySize.ofBytes(0), List.of(), 512 << 10);

    /** QEMU serves no less. */
    private static final int MIN_MSIZE_9P = 4096;

    /** @throws InvalidConfigException if the size of 9p's packets is too small */
    public SharedFsConfig {
        if (msize9p < MIN_MSIZE_9P) {
            throw new InvalidConfigException("msize9p", Integer.toString(msize9p), "must be at least " + MIN_MSIZE_9P);
        }
        daemonArguments = List.copyOf(daemonArguments);
    }

    public static SharedFsConfig defaults() {
        return DEFAULTS;
    }

    /** The same of another kind. */
    public SharedFsConfig withType(SharedFs other) {
        return new SharedFsConfig(other, daemon, cache, daxSize, daemonArguments, msize9p);
    }
}
