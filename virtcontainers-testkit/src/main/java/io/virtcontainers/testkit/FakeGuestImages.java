// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.GuestRoot;
import io.virtcontainers.HostCheck;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.Phases;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** Images that name files which nobody boots or mounts. Thread-safe. */
public final class FakeGuestImages implements GuestImages {
    /** The super block's magic of EROFS (Linux, {@code fs/erofs/erofs_fs.h}), little-endian, at offset 1024. */
    private static final byte[] MAGIC = {(byte) 0xe2, (byte) 0xe1, (byte) 0xf5, (byte) 0xe0};

    private static final int MAGIC_OFFSET = 1024;

    private final Faults faults = new Faults();
    private final Path image = emptyImage();

    private static Path emptyImage() {
        try {
            Path file = Files.createTempFile("fake-rootfs", ".erofs");
            file.toFile().deleteOnExit();
            byte[] bytes = new byte[MAGIC_OFFSET + MAGIC.length];
            System.arraycopy(MAGIC, 0, bytes, MAGIC_OFFSET, MAGIC.length);
            return Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The script of these images. */
    public Faults faults() {
        return faults;
    }

    @Override
    public GuestImage guestImage(Optional<Path> kernel, GuestRoot root, Phases phases, Deadline deadline) {
        return faults.run(
                "guestImage",
                deadline,
                new CompletableFuture<>(),
                () -> new GuestImage(Path.of("vmlinux"), Path.of("initrd"), "6.1.0-fake"));
    }

    @Override
    public List<HostCheck> check(Optional<Path> kernel, GuestRoot root, Deadline deadline) {
        return faults.run(
                "checkImages",
                deadline,
                new CompletableFuture<>(),
                () -> List.of(HostCheck.ok("fake images", "are in this process")));
    }

    @Override
    public Path rootfsImage(Path directory, Phases phases, Deadline deadline) {
        return faults.run("rootfsImage", deadline, new CompletableFuture<>(), () -> {
            if (!Files.isDirectory(directory)) {
                throw new InvalidConfigException("root file system", directory.toString(), "is not a directory");
            }
            return image;
        });
    }
}
