// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HostSetupException;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Finds programs of the host as a shell would. */
final class Programs {
    private Programs() {}

    /** @throws HostSetupException with the remedy, if it is in no directory of {@code PATH} */
    static Path require(String name, String remedy) {
        String path = Optional.ofNullable(System.getenv("PATH")).orElse("/usr/bin:/bin");
        return find(name, List.of(path.split(File.pathSeparator)))
                .orElseThrow(() -> new HostSetupException(name + " is not in PATH (" + path + "); " + remedy));
    }

    static Optional<Path> find(String name, List<String> directories) {
        return directories.stream()
                .filter(directory -> !directory.isEmpty())
                .map(directory -> Path.of(directory).resolve(name).toAbsolutePath())
                .filter(program -> Files.isRegularFile(program) && Files.isExecutable(program))
                .findFirst();
    }
}
