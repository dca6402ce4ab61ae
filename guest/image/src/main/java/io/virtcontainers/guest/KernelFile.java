// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.Phases;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A kernel to use.
 *
 * @param path absolute
 * @param origin who chose it, for error messages: {@code kernel}, {@code VIRTCONTAINERS_KERNEL}
 */
record KernelFile(Path path, String origin) {
    /** @throws InvalidConfigException if it is no kernel */
    String release(Deadline deadline) throws IOException {
        try {
            return KernelImage.release(path, deadline);
        } catch (MalformedException e) {
            throw unusable(e);
        }
    }

    /**
     * Writes it as QEMU boots it.
     *
     * @throws InvalidConfigException if it is no kernel
     */
    void unpack(Path vmlinux, Phases phases, Deadline deadline) throws IOException {
        try (Phases.Phase phase = phases.begin("kernel.unpack")) {
            KernelImage.unpack(path, vmlinux, deadline);
        } catch (MalformedException e) {
            throw unusable(e);
        }
    }

    private InvalidConfigException unusable(MalformedException e) {
        InvalidConfigException error =
                new InvalidConfigException(origin, path.toString(), String.valueOf(e.getMessage()));
        error.initCause(e);
        return error;
    }
}
