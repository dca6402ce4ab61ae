// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A QEMU on this host.
 *
 * @param binary the program, absolute
 * @param version what it calls itself, for example {@code 7.2.22}
 * @param dataDirectories where it looks for firmware, in its order
 */
record QemuInstallation(Path binary, String version, List<Path> dataDirectories) {
    QemuInstallation {
        dataDirectories = List.copyOf(dataDirectories);
    }

    /** The small firmware that takes a PVH kernel straight to its entry; looked up now, as it may come and go. */
    Optional<Path> qboot() {
        return dataDirectories.stream()
                .map(directory -> directory.resolve("qboot.rom").normalize())
                .filter(Files::isReadable)
                .findFirst();
    }
}
