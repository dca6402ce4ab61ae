// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import com.google.common.hash.Hashing;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.Hypervisor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where running sandboxes keep their sockets and files: {@code <state>/sandboxes/<id>/}, each held by the lock of its name
 * as long as its owner lives. A directory whose lock is free belongs to an owner that crashed: {@link #sweep} ends what it
 * left running and removes it. Thread-safe.
 */
final class StateDirectory implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(StateDirectory.class);

    /** sockaddr_un.sun_path, without its final NUL (unix(7)). */
    private static final int MAX_SOCKET_PATH = 107;

    /** Room for a backend's socket names below the sandbox's directory, with the slash. */
    private static final int SOCKET_NAME = 16;

    private static final int HASH_LENGTH = 16;
    private static final Duration REAP = Duration.ofSeconds(10);

    private final Path sandboxes;
    private final SandboxLocks locks;

    private StateDirectory(Path sandboxes, SandboxLocks locks) {
        this.sandboxes = sandboxes;
        this.locks = locks;
    }

    static StateDirectory open(Path directory) {
        Path state = Directories.privateDirectory(directory);
        Path sandboxes = Directories.privateDirectory(state.resolve("sandboxes"));
        if (bytes(sandboxes) + 1 + HASH_LENGTH + SOCKET_NAME > MAX_SOCKET_PATH) {
            throw new HostSetupException("the state directory " + state + " is too long for unix sockets below it ("
                    + MAX_SOCKET_PATH + " bytes): choose a shorter one");
        }
        try {
            return new StateDirectory(sandboxes, SandboxLocks.open(state));
        } catch (IOException e) {
            throw new HostSetupException("cannot open the lock file in " + state + ": " + e, e);
        }
    }

    /** A sandbox's own directory and the lock that proves its owner alive. */
    record Claim(Path directory, SandboxLocks.Lock lock) {
        /** Removes the directory, then lets go of the name. */
        void release() throws IOException {
            try {
                Directories.delete(directory);
            } finally {
                lock.close();
            }
        }
    }

    /**
     * Takes the id for a new sandbox and makes its directory.
     *
     * @throws AlreadyExistsException if a live process has it
     */
    Claim claim(String id, Hypervisor hypervisor) {
        Path directory = sandboxes.resolve(directoryName(id));
        try {
            SandboxLocks.Lock lock = locks.tryLock(directoryName(id))
                    .orElseThrow(() -> new AlreadyExistsException("sandbox " + id + " exists already" + owner(directory)
                            + ": delete it, or take another id"));
            try {
                if (Files.exists(directory)) {
                    reap(directory, hypervisor);
                }
                Files.createDirectory(
                        directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
                Files.writeString(
                        directory.resolve("owner"),
                        Long.toString(ProcessHandle.current().pid()));
                return new Claim(directory, lock);
            } catch (IOException | RuntimeException e) {
                lock.close();
                throw e;
            }
        } catch (IOException e) {
            throw new HostSetupException(
                    "cannot make " + directory + " for sandbox " + id + ": " + e + "; is the disk full or read-only?",
                    e);
        }
    }

    /** Ends and removes what crashed owners left; what cannot be removed is logged and tried again at the next sweep. */
    void sweep(Hypervisor hypervisor) {
        for (Path directory : list()) {
            try {
                Optional<SandboxLocks.Lock> lock =
                        locks.tryLock(directory.getFileName().toString());
                if (lock.isPresent()) {
                    try (SandboxLocks.Lock held = lock.get()) {
                        reap(directory, hypervisor);
                        log.info("removed what a crashed process left: sandbox={}", directory.getFileName());
                    }
                }
            } catch (IOException | VirtException e) {
                log.warn("cannot remove what a crashed process left: directory={}", directory, e);
            }
        }
    }

    private static void reap(Path directory, Hypervisor hypervisor) throws IOException {
        hypervisor.reap(directory, Deadline.after(REAP));
        Directories.delete(directory);
    }

    private List<Path> list() {
        try (Stream<Path> children = Files.list(sandboxes)) {
            return children.toList();
        } catch (IOException e) {
            throw new HostSetupException("cannot read " + sandboxes + ": " + e, e);
        }
    }

    /** The id, or its beginning and a hash where the id would make socket paths too long. */
    private String directoryName(String id) {
        int room = MAX_SOCKET_PATH - SOCKET_NAME - bytes(sandboxes) - 1;
        if (id.length() <= room) {
            return id;
        }
        String hash = Hashing.sha256()
                .hashString(id, StandardCharsets.UTF_8)
                .toString()
                .substring(0, HASH_LENGTH);
        int kept = Math.max(0, room - HASH_LENGTH - 1);
        return kept == 0 ? hash : id.substring(0, kept) + "-" + hash;
    }

    private static int bytes(Path path) {
        return path.toString().getBytes(StandardCharsets.UTF_8).length;
    }

    private static String owner(Path directory) {
        try {
            return " (owned by process " + Files.readString(directory.resolve("owner")) + ")";
        } catch (IOException unknown) {
            return "";
        }
    }

    @Override
    public void close() {
        try {
            locks.close();
        } catch (IOException e) {
            log.warn("cannot close the lock file: directory={}", sandboxes, e);
        }
    }
}
