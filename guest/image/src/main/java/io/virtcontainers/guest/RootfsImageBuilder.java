// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.Phases;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes EROFS images of directories, or finds them in the cache, under the digest of their content.
 *
 * <p>An index remembers the digest together with the fingerprint that the tree had, so that an unchanged tree costs one
 * stat call per file. A tree that changes while it is read or packed is tried once more, then refused.
 */
final class RootfsImageBuilder {
    private static final Logger log = LoggerFactory.getLogger(RootfsImageBuilder.class);

    /** Changes with everything in this module that changes the image made from the same tree. */
    private static final String FORMAT = "rootfs 1";

    private static final int ATTEMPTS = 2;

    private final ImageCache cache;
    private final Host host;
    private final ErofsPacker packer;

    RootfsImageBuilder(ImageCache cache, Host host) {
        this.cache = cache;
        this.host = host;
        this.packer = new ErofsPacker(host);
    }

    /** @return the image, a file that nobody changes any more */
    Path image(Path asked, Phases phases, Deadline deadline) throws IOException {
        Path directory = validate(asked);
        String change = "";
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            try {
                return attempt(directory, phases, deadline);
            } catch (TreeChangedException e) {
                change = String.valueOf(e.getMessage());
                log.debug("the tree changed while it was packed path={} change={}", directory, change);
            }
        }
        throw new VirtException(
                "rootfs " + directory + ": " + change + "; stop what writes to it, then try again, or give a copy");
    }

    private Path validate(Path asked) throws IOException {
        if (!Files.exists(asked)) {
            throw new InvalidConfigException("rootfs", asked.toString(), "there is no such directory");
        }
        if (!Files.isDirectory(asked)) {
            throw new InvalidConfigException("rootfs", asked.toString(), "not a directory");
        }
        Path directory = asked.toRealPath();
        if (cache.root().startsWith(directory)
                || cache.root().startsWith(asked.toAbsolutePath().normalize())) {
            throw new InvalidConfigException(
                    "rootfs",
                    asked.toString(),
                    "the image cache " + cache.root() + " is in it, so that it would change while it is packed;"
                            + " choose a directory of its own for the container");
        }
        return directory;
    }

    private Path attempt(Path directory, Phases phases, Deadline deadline) throws IOException {
        Instant lookedAt = host.clock().instant();
        RootfsTree.Fingerprint before = RootfsTree.fingerprint(directory, lookedAt, deadline);
        Optional<String> known = fromIndex(directory, before);
        if (known.isPresent() && isIntact(known.get())) {
            return image(known.get());
        }
        // Unless root reads the tree, every owner is this user, who is nobody in the guest: its files belong to root
        // there.
        boolean keepOwners = host.root();
        String key = new Sha256()
                .add(FORMAT)
                .add(keepOwners ? "owners kept" : "all root")
                .add(RootfsTree.contentDigest(directory, keepOwners, deadline))
                .hex();
        String lockName = "rootfs-" + key.substring(0, 2);
        try (CacheLock lock = cache.lock(lockName, deadline)) {
            Path work = cache.temporaryFolder(lockName);
            try {
                boolean present =
                        Manifest.verify(manifest(key), cache.folder("rootfs"), List.of(fileName(key)), work, deadline);
                Path packed = work.resolve(fileName(key));
                if (!present) {
                    pack(directory, packed, keepOwners, phases, deadline);
                }
                requireUnchanged(directory, before, lookedAt, deadline);
                if (!present) {
                    publish(packed, key, work, deadline);
                    log.info("packed a root file system path={} image={}", directory, image(key));
                }
                if (before.settled()) {
                    IndexFile.write(index(directory), List.of(before.digest(), key), work);
                }
                return image(key);
            } finally {
                ImageCache.deleteTree(work);
            }
        }
    }

    private static void requireUnchanged(
            Path directory, RootfsTree.Fingerprint before, Instant lookedAt, Deadline deadline) throws IOException {
        if (!RootfsTree.fingerprint(directory, lookedAt, deadline).digest().equals(before.digest())) {
            throw new TreeChangedException("it changed while it was packed");
        }
    }

    private void pack(Path directory, Path packed, boolean keepOwners, Phases phases, Deadline deadline)
            throws IOException {
        try (Phases.Phase phase = phases.begin("rootfs.pack")) {
            packer.pack(directory, packed, keepOwners, deadline);
        }
    }

    private void publish(Path packed, String key, Path work, Deadline deadline) throws IOException {
        ImageCache.seal(packed);
        cache.publish(packed, image(key));
        Manifest.write(manifest(key), cache.folder("rootfs"), List.of(fileName(key)), work, deadline);
    }

    private Optional<String> fromIndex(Path directory, RootfsTree.Fingerprint fingerprint) throws IOException {
        List<String> lines = IndexFile.read(index(directory)).orElse(List.of());
        return lines.size() == 2 && lines.get(0).equals(fingerprint.digest())
                ? Optional.of(lines.get(1))
                : Optional.empty();
    }

    private boolean isIntact(String key) throws IOException {
        return Manifest.isIntact(manifest(key), cache.folder("rootfs"), List.of(fileName(key)));
    }

    private Path index(Path directory) {
        String name = new Sha256()
                .add(FORMAT)
                .add(host.root() ? 0 : 1)
                .add(directory.toUri().getRawPath())
                .hex();
        return cache.folder("index").resolve("rootfs-" + name);
    }

    private static String fileName(String key) {
        return key + ".erofs";
    }

    private Path image(String key) {
        return cache.folder("rootfs").resolve(fileName(key));
    }

    private Path manifest(String key) {
        return cache.folder("rootfs").resolve(key + ".manifest");
    }
}
