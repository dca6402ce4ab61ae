// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import com.google.common.hash.Hashing;
import com.google.common.primitives.Longs;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Who owns which sandbox, across processes: whoever holds the lock of a name. The kernel releases the locks of a process
 * that ends, however it ends.
 *
 * <p>All locks of a state directory are byte ranges of one file, {@code locks}, which is never removed: a lock file of its
 * own for each sandbox could be removed while another process waits on it. A name's byte is a hash of 62 bits, so two
 * names meet by chance once in some 10^18.
 *
 * <p>Linux drops every lock that a process holds on a file when the process closes <em>any</em> descriptor of it (fcntl(2),
 * "Record locks"), so a Java process has one open channel for each lock file, shared and counted here.
 *
 * <p>Thread-safe.
 */
final class SandboxLocks implements AutoCloseable {
    private static final Map<Path, Shared> OPEN = new HashMap<>();

    private final Path file;
    private final Shared shared;
    private boolean closed;

    private SandboxLocks(Path file, Shared shared) {
        this.file = file;
        this.shared = shared;
    }

    private static final class Shared {
        final FileChannel channel;
        int users;

        Shared(FileChannel channel) {
            this.channel = channel;
        }
    }

    /** The locks of a state directory, which must exist. */
    static SandboxLocks open(Path stateDirectory) throws IOException {
        Path file = stateDirectory.toRealPath().resolve("locks");
        synchronized (OPEN) {
            Shared shared = OPEN.get(file);
            if (shared == null) {
                shared = new Shared(FileChannel.open(
                        file,
                        EnumSet.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))));
                OPEN.put(file, shared);
            }
            shared.users++;
            return new SandboxLocks(file, shared);
        }
    }

    /** The lock of this name, unless someone holds it, in this or in another process. */
    Optional<Lock> tryLock(String name) throws IOException {
        try {
            FileLock lock = shared.channel.tryLock(position(name), 1, false);
            return lock == null ? Optional.empty() : Optional.of(new Lock(lock));
        } catch (OverlappingFileLockException heldByThisProcess) {
            return Optional.empty();
        }
    }

    /** A lock that is held until it is closed. */
    record Lock(FileLock fileLock) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            if (fileLock.channel().isOpen()) {
                fileLock.release();
            }
        }
    }

    private static long position(String name) {
        return Longs.fromByteArray(Hashing.sha256()
                        .hashString(name, StandardCharsets.UTF_8)
                        .asBytes())
                >>> 2;
    }

    @Override
    public void close() throws IOException {
        synchronized (OPEN) {
            if (closed) {
                return;
            }
            closed = true;
            if (--shared.users == 0) {
                OPEN.remove(file);
                shared.channel.close();
            }
        }
    }
}
