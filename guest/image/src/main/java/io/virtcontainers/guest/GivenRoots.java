// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.GuestRoot;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.RootDisk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** What a virtual machine boots if the user gives its root: of that, only the kernel is made here. */
final class GivenRoots {
    private static final String FORMAT = "kernel 2";
    private static final String LOCK = "kernel";
    private static final String KERNEL = "vmlinux";
    private static final String MANIFEST = "manifest";

    private final ImageCache cache;
    private final KernelFinder kernels;
    private final GuestImageBuilder builtIn;

    GivenRoots(ImageCache cache, Host host, GuestImageBuilder builtIn) {
        this.cache = cache;
        this.kernels = new KernelFinder(host, cache.root());
        this.builtIn = builtIn;
    }

    GuestImage withInitrd(Optional<Path> asked, GuestRoot.Initrd root, Phases phases, Deadline deadline)
            throws IOException {
        Path initrd = root.file().toAbsolutePath().normalize();
        if (!Files.isRegularFile(initrd) || !Files.isReadable(initrd)) {
            throw new InvalidConfigException("guest initrd", initrd.toString(), "there is no such file to read");
        }
        KernelFile kernel = kernels.find(asked);
        return new GuestImage(unpacked(kernel, phases, deadline), initrd, kernel.release(deadline));
    }

    /**
     * A kernel with modules, as distributions have, needs some of them to find the disk: then our own initrd loads them and
     * goes on with the image. One without, as Kata's, has all that built in.
     */
    GuestImage withImage(Optional<Path> asked, GuestRoot.Image root, Phases phases, Deadline deadline)
            throws IOException {
        Optional<RootDisk> disk = Optional.of(RootDisks.of(root));
        KernelFile kernel = kernels.find(asked);
        String release = kernel.release(deadline);
        if (kernels.modulesDirectory(kernel.path(), release).isPresent()) {
            GuestImage own = builtIn.image(asked, phases, deadline);
            return new GuestImage(own.kernel(), own.initrd(), disk, release);
        }
        return new GuestImage(unpacked(kernel, phases, deadline), Optional.empty(), disk, release);
    }

    private Path unpacked(KernelFile kernel, Phases phases, Deadline deadline) throws IOException {
        String key = new Sha256()
                .add(FORMAT)
                .add(Manifest.digest(kernel.path(), deadline))
                .hex();
        Path entry = cache.folder("guest").resolve(key);
        List<String> files = List.of(KERNEL);
        try (CacheLock lock = cache.lock(LOCK, deadline)) {
            Path work = cache.temporaryFolder(LOCK);
            try {
                if (!Manifest.verify(entry.resolve(MANIFEST), entry, files, work, deadline)) {
                    Path finished = Files.createTempDirectory(work, "image");
                    kernel.unpack(finished.resolve(KERNEL), phases, deadline);
                    ImageCache.seal(finished.resolve(KERNEL));
                    Manifest.write(finished.resolve(MANIFEST), finished, files, work, deadline);
                    cache.publish(finished, entry);
                }
            } finally {
                ImageCache.deleteTree(work);
            }
        }
        return entry.resolve(KERNEL);
    }
}
