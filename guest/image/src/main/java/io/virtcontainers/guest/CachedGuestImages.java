// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.GuestRoot;
import io.virtcontainers.HostCheck;
import io.virtcontainers.SharedFs;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.Phases;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Guest images and root file systems out of one cache. Thread-safe, also between processes. */
final class CachedGuestImages implements GuestImages {
    private final ImageCache cache;
    private final Host host;
    private final GuestImageBuilder guests;
    private final GivenRoots given;
    private final RootfsImageBuilder rootfs;

    CachedGuestImages(ImageCache cache, Host host) {
        this.cache = cache;
        this.host = host;
        this.guests = new GuestImageBuilder(cache, host);
        this.given = new GivenRoots(cache, host, guests);
        this.rootfs = new RootfsImageBuilder(cache, host);
    }

    @Override
    public GuestImage guestImage(Optional<Path> kernel, GuestRoot root, Phases phases, Deadline deadline) {
        try {
            cache.prepare();
            if (root instanceof GuestRoot.Initrd initrd) {
                return given.withInitrd(kernel, initrd, phases, deadline);
            } else if (root instanceof GuestRoot.Image image) {
                return given.withImage(kernel, image, phases, deadline);
            }
            return guests.image(kernel, phases, deadline);
        } catch (IOException e) {
            throw IoFailures.toVirtException("make the guest image in " + cache.root(), e);
        }
    }

    /** Of a guest with a root of its own, only that knows what its kernel has. */
    @Override
    public void requireSharedFs(Optional<Path> kernel, GuestRoot root, SharedFs type, Deadline deadline) {
        if (type != SharedFs.VIRTIO_9P || !(root instanceof GuestRoot.BuiltIn)) {
            return;
        }
        try {
            guests.require9p(kernel, deadline);
        } catch (IOException e) {
            throw IoFailures.toVirtException("look at the guest's kernel", e);
        }
    }

    @Override
    public List<HostCheck> check(Optional<Path> kernel, GuestRoot root, Deadline deadline) {
        return GuestHostChecks.of(host, cache.root(), kernel, root, deadline);
    }

    @Override
    public Path rootfsImage(Path directory, Phases phases, Deadline deadline) {
        try {
            cache.prepare();
            return rootfs.image(directory, phases, deadline);
        } catch (IOException e) {
            throw IoFailures.toVirtException("make the image of " + directory + " in " + cache.root(), e);
        }
    }
}
