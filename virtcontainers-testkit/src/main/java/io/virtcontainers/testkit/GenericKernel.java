// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** The kernel for guests with 9p, which tests ask for by name: Debian's generic one, that {@code scripts/kernel} unpacked. */
public final class GenericKernel {
    private GenericKernel() {}

    /** @throws IllegalStateException if it is not there */
    public static Path find() {
        Path folder = cache().resolve("test/kernel");
        if (Files.isDirectory(folder)) {
            try (DirectoryStream<Path> packages = Files.newDirectoryStream(folder, "linux-image-*")) {
                for (Path unpacked : packages) {
                    try (DirectoryStream<Path> kernels =
                            Files.newDirectoryStream(unpacked.resolve("boot"), "vmlinuz-*")) {
                        for (Path kernel : kernels) {
                            return kernel;
                        }
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        throw new IllegalStateException(
                "there is no kernel in " + folder + ": run `scripts/kernel linux-image-amd64 " + folder + "`");
    }

    private static Path cache() {
        return variable("VIRTCONTAINERS_CACHE")
                .orElseGet(() -> variable("XDG_CACHE_HOME")
                        .orElse(Path.of(System.getProperty("user.home"), ".cache"))
                        .resolve("virtcontainers"));
    }

    private static Optional<Path> variable(String name) {
        return Optional.ofNullable(System.getenv(name))
                .filter(text -> !text.isEmpty())
                .map(Path::of);
    }
}
