// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;

/** Where one sandbox keeps its state, and the locks that belong to it. Thread-safe. */
public final class SandboxPlace {
    private final String id;
    private final Path directory;
    private final Path damaged;
    private final SandboxLocks locks;
    private final SandboxStore store;

    SandboxPlace(String id, Path directory, Path damaged, SandboxLocks locks) {
        this.id = id;
        this.directory = directory;
        this.damaged = damaged;
        this.locks = locks;
        this.store = new SandboxStore(id, directory);
    }

    SandboxPlace withIdOfDocument() {
        String known;
        try {
            known = store.read().map(SandboxRecord::id).orElse(name());
        } catch (VirtException damagedOrGone) {
            known = name();
        }
        return new SandboxPlace(known, directory, damaged, locks);
    }

    public String id() {
        return id;
    }

    public SandboxStore store() {
        return store;
    }

    /** Private to the hypervisor, for its sockets and files. */
    public Path vmDirectory() {
        return directory.resolve("vm");
    }

    private String name() {
        return String.valueOf(directory.getFileName());
    }

    private String what() {
        return "sandbox " + id;
    }

    /**
     * The lock of all operations that change something, across threads and processes.
     *
     * @throws io.virtcontainers.SandboxBusyException if another holds it until the deadline
     */
    public SandboxLocks.Lock lock(String operation, Deadline deadline) {
        return locks.acquire("operation:" + name(), what(), operation, deadline);
    }

    /** As {@link #lock}, without waiting for other processes. */
    public Optional<SandboxLocks.Lock> lockNow(String operation) {
        try {
            return Optional.of(lock(operation, Deadline.after(java.time.Duration.ZERO)));
        } catch (io.virtcontainers.SandboxBusyException busy) {
            return Optional.empty();
        }
    }

    /** The lock that the owner of a scoped sandbox holds as long as he lives, unless somebody holds it. */
    public Optional<SandboxLocks.Lock> tryOwn() {
        return locks.tryLock("owner:" + name());
    }

    /** The process that holds the owner's lock. */
    public OptionalLong owner() {
        return locks.holder("owner:" + name());
    }

    /** The lock of one of the channels to the guest's agent, unless another connection uses it. */
    public Optional<SandboxLocks.Lock> tryChannel(int index) {
        return locks.tryLock("channel:" + name() + ":" + index);
    }

    public boolean exists() {
        return Files.exists(directory, LinkOption.NOFOLLOW_LINKS);
    }

    /** Makes the directory, which must not exist. */
    public void create() {
        makeDirectory(directory);
    }

    /** Makes the directory of the hypervisor, empty. */
    public void createVmDirectory() {
        removeVmDirectory();
        makeDirectory(vmDirectory());
    }

    private void makeDirectory(Path path) {
        try {
            Files.createDirectory(
                    path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw new HostSetupException(
                    "cannot make " + path + " for " + what() + ": " + e + "; is the disk full or read-only?", e);
        }
    }

    public void removeVmDirectory() {
        delete(vmDirectory());
    }

    /**
     * Removes the directory with all that is in it; does nothing if it is not there. The document goes last, so that what
     * cannot be removed is still known.
     */
    public void remove() {
        removeVmDirectory();
        delete(directory);
    }

    private void delete(Path path) {
        try {
            Directories.delete(path);
        } catch (IOException e) {
            throw new VirtException("cannot remove " + path + " of " + what() + ": " + e, e);
        }
    }

    /** Moves a document that cannot be read to {@code <state>/damaged}, where it does not hinder anybody. */
    public Path setAside() {
        Path kept = damaged.resolve(name() + "-" + Instant.now().toEpochMilli() + ".json");
        try {
            Directories.privateDirectory(damaged);
            return Files.move(store.file(), kept, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new VirtException("cannot move " + store.file() + " to " + kept + ": " + e, e);
        }
    }
}
