// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.Phases;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Images that name files which nobody opens. Thread-safe. */
public final class FakeGuestImages implements GuestImages {
    private final Faults faults = new Faults();

    /** The script of these images. */
    public Faults faults() {
        return faults;
    }

    @Override
    public GuestImage guestImage(Optional<Path> kernel, Phases phases, Deadline deadline) {
        faults.reached("guestImage", deadline);
        return new GuestImage(Path.of("vmlinux"), Path.of("initrd"), "6.1.0-fake");
    }

    @Override
    public Path rootfsImage(Path directory, Phases phases, Deadline deadline) {
        faults.reached("rootfsImage", deadline);
        if (!Files.isDirectory(directory)) {
            throw new InvalidConfigException("root file system", directory.toString(), "is not a directory");
        }
        return directory.resolve("image.erofs");
    }
}
