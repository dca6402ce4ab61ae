// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Two digests of a directory tree. {@link #fingerprint} costs one stat call per file and differs after every change;
 * {@link #contentDigest} reads all files and is the same for every copy of the tree. Symbolic links are not followed.
 *
 * <p>Times of modification count in the fingerprint only: a tree that is unpacked or checked out a second time is the
 * same content, as it is for Docker's build cache. The image has the times of the tree that it was made from.
 * Extended attributes count in neither, as the images leave them out.
 */
final class RootfsTree {
    private static final int BUFFER = 1 << 17;

    /**
     * @param digest of names and stamps
     * @param settled whether each change from now on must give another digest
     */
    record Fingerprint(String digest, boolean settled) {}

    private final Path root;
    private final Deadline deadline;
    private final Sha256 sha = new Sha256();
    private final byte[] buffer;
    private final boolean keepOwners;
    private final boolean readContent;
    private final Instant lookedAt;
    private final Map<Long, String> hardLinks = new HashMap<>();
    private boolean settled = true;

    private RootfsTree(Path root, boolean readContent, boolean keepOwners, Instant lookedAt, Deadline deadline) {
        this.root = root;
        this.readContent = readContent;
        this.keepOwners = keepOwners;
        this.lookedAt = lookedAt;
        this.deadline = deadline;
        this.buffer = new byte[readContent ? BUFFER : 0];
    }

    /**
     * @throws InvalidConfigException if a folder cannot be listed
     * @throws TreeChangedException if something vanishes meanwhile
     */
    static Fingerprint fingerprint(Path root, Instant lookedAt, Deadline deadline) throws IOException {
        RootfsTree tree = new RootfsTree(root, false, true, lookedAt, deadline);
        tree.visit(root, "");
        return new Fingerprint(tree.sha.hex(), tree.settled);
    }

    /**
     * @param keepOwners whether the owners of files count
     * @throws InvalidConfigException if a file or a folder cannot be read
     * @throws TreeChangedException if something changes meanwhile
     */
    static String contentDigest(Path root, boolean keepOwners, Deadline deadline) throws IOException {
        RootfsTree tree = new RootfsTree(root, true, keepOwners, Instant.EPOCH, deadline);
        tree.visit(root, "");
        return tree.sha.hex();
    }

    private void visit(Path file, String name) throws IOException {
        Waits.check(deadline, "the reading of " + root);
        try {
            sha.add(name);
            if ((readContent ? addContent(file) : addStamp(file)) == FileType.DIRECTORY) {
                List<Path> children = list(file);
                sha.add(children.size());
                for (Path child : children) {
                    visit(child, nameOf(child));
                }
            }
        } catch (AccessDeniedException e) {
            throw new InvalidConfigException(
                    "rootfs",
                    root.toString(),
                    file + " cannot be read by this user: `chmod u+r` it (`u+rx` a directory), or run as its owner");
        } catch (NoSuchFileException | NotDirectoryException | NotLinkException e) {
            throw new TreeChangedException(file + " vanished while the tree was read");
        }
    }

    private FileType addStamp(Path file) throws IOException {
        QuickStamp stamp = QuickStamp.of(file);
        stamp.addTo(sha);
        settled &= stamp.isSettled(lookedAt);
        return stamp.type();
    }

    private FileType addContent(Path file) throws IOException {
        FileStamp stamp = FileStamp.of(file, LinkOption.NOFOLLOW_LINKS);
        FileType type = stamp.type();
        sha.add(type.bits()).add(stamp.permissions());
        if (keepOwners) {
            sha.add(stamp.uid()).add(stamp.gid());
        }
        if (stamp.links() > 1 && type != FileType.DIRECTORY) {
            // Files with several names keep them in the image. Within one tree inodes of two file systems may collide,
            // which at worst tells apart two trees that are the same.
            sha.add(hardLinks.computeIfAbsent(
                    stamp.inode(), inode -> root.relativize(file).toString()));
        }
        switch (type) {
            case REGULAR -> addBytes(file, stamp.size());
            case SYMLINK -> sha.add(Files.readSymbolicLink(file).toString());
            case CHARACTER_DEVICE, BLOCK_DEVICE -> sha.add(stamp.specialDevice());
            case DIRECTORY, FIFO, SOCKET -> {}
        }
        return type;
    }

    private void addBytes(Path file, long size) throws IOException {
        sha.add(size);
        long total = 0;
        try (InputStream in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                Waits.check(deadline, "the reading of " + file);
                sha.raw(buffer, 0, n);
                total += n;
                if (total > size) {
                    break;
                }
            }
        }
        if (total != size) {
            throw new TreeChangedException(file + " changed its size while it was read");
        }
    }

    /** In the order of the names' bytes. */
    private static List<Path> list(Path folder) throws IOException {
        List<Path> children = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            entries.forEach(children::add);
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        Collections.sort(children);
        return children;
    }

    /** Names that the locale's charset cannot express would all look alike: their URI has every byte. */
    private static String nameOf(Path child) {
        String name = String.valueOf(child.getFileName());
        return name.indexOf('\uFFFD') < 0 ? name : child.toUri().getRawPath();
    }
}
