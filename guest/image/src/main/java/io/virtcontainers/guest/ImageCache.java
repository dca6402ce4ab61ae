// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import com.google.common.io.MoreFiles;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The folder with everything that this module keeps between runs:
 *
 * <pre>
 * guest/KEY/{vmlinux,initrd,manifest}   rootfs/DIGEST.erofs, DIGEST.manifest
 * index/                                what was made from which files: spares reading them again
 * locks/                                one file per lock, never removed
 * tmp/LOCK.RANDOM/                      work in progress, only while LOCK is held: anything else there is waste
 * </pre>
 *
 * Files appear under their final name complete and on disk, by a rename. Thread-safe, also between processes.
 */
final class ImageCache {
    private static final Logger log = LoggerFactory.getLogger(ImageCache.class);

    private final Path root;

    ImageCache(Path root) {
        this.root = root.toAbsolutePath().normalize();
    }

    Path root() {
        return root;
    }

    /** One of the cache's folders, which may not exist yet. */
    Path folder(String name) {
        return root.resolve(name);
    }

    /**
     * Makes the folders, closed to other users.
     *
     * @throws HostSetupException if one belongs to somebody else, who could then choose what our virtual machines boot
     */
    void prepare() throws IOException {
        Files.createDirectories(root.getParent() == null ? root : root.getParent());
        Object me = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        ensureFolder(root);
        for (String name : new String[] {"guest", "rootfs", "index", "locks", "tmp"}) {
            Path folder = folder(name);
            ensureFolder(folder);
            Object owner = Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            if (!owner.equals(me)) {
                throw new HostSetupException("the cache folder " + folder + " belongs to user " + owner
                        + ", this is user " + me + ": remove it, or choose another cache directory");
            }
        }
    }

    private static void ensureFolder(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            try {
                Files.createDirectory(
                        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            } catch (FileAlreadyExistsException e) {
                if (!Files.isDirectory(folder)) {
                    throw e;
                }
            }
        }
    }

    /** After {@link #prepare}: locks a part of the cache and removes what crashed holders left of it, and of every part that is free now. */
    CacheLock lock(String name, Deadline deadline) throws IOException {
        CacheLock lock = CacheLock.acquire(lockFile(name), deadline);
        try {
            sweep(name);
            return lock;
        } catch (IOException | RuntimeException e) {
            lock.close();
            throw e;
        }
    }

    private Path lockFile(String name) {
        return folder("locks").resolve(name);
    }

    /** A new folder for work in progress. The caller holds the lock, and deletes the folder before it gives it back. */
    Path temporaryFolder(String lockName) throws IOException {
        return Files.createTempDirectory(folder("tmp"), lockName + ".");
    }

    private void sweep(String heldLock) throws IOException {
        try (DirectoryStream<Path> leftovers = Files.newDirectoryStream(folder("tmp"))) {
            for (Path leftover : leftovers) {
                String name = leftover.getFileName().toString();
                String lockName = name.substring(0, Math.max(0, name.indexOf('.')));
                if (lockName.equals(heldLock)) {
                    removeLeftover(leftover);
                } else if (!lockName.isEmpty()) {
                    Optional<CacheLock> lock = CacheLock.tryAcquire(lockFile(lockName));
                    if (lock.isPresent()) {
                        try (CacheLock held = lock.get()) {
                            removeLeftover(leftover);
                        }
                    }
                }
            }
        }
    }

    private static void removeLeftover(Path leftover) throws IOException {
        log.info("removing what a crashed process left in the image cache path={}", leftover);
        deleteTree(leftover);
    }

    /** Forces a file or a folder to disk. */
    static void sync(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    /**
     * Makes a finished file readable only, forces it to disk. Readable by all, as a hypervisor that runs as another user gets
     * it open but must open it once more; the folders are closed to others all the same.
     */
    static void seal(Path file) throws IOException {
        sync(file);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--r--r--"));
    }

    /** Gives a sealed file or a folder of sealed files its final name, in place of what is there. */
    void publish(Path finished, Path target) throws IOException {
        if (Files.isDirectory(finished)) {
            sync(finished);
            if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
                // A folder cannot be replaced in one step; inside the temporary folder the old one goes with it.
                Files.move(target, finished.resolveSibling("replaced"), StandardCopyOption.ATOMIC_MOVE);
            }
        }
        Files.move(finished, target, StandardCopyOption.ATOMIC_MOVE);
        sync(target.getParent() == null ? root : target.getParent());
    }

    /** Removes a file or a folder with all that is in it, never through a symbolic link; no error if there is none. */
    static void deleteTree(Path path) throws IOException {
        try {
            MoreFiles.deleteRecursively(path);
        } catch (NoSuchFileException gone) {
            // What was wanted.
        }
    }
}
