// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import com.google.common.hash.Hashing;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Ids;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Where all sandboxes of one user keep their state; see the package. Thread-safe. */
public final class StateDirectory implements AutoCloseable {
    /** sockaddr_un.sun_path, without its final NUL (unix(7)). */
    private static final int MAX_SOCKET_PATH = 107;

    /** Room for a backend's socket names below the sandbox's directory {@code vm}, with all slashes. */
    private static final int SOCKET_NAME = 19;

    private static final int HASH_LENGTH = 16;

    private final Path sandboxes;
    private final Path damaged;
    private final SandboxLocks locks;

    private StateDirectory(Path sandboxes, Path damaged, SandboxLocks locks) {
        this.sandboxes = sandboxes;
        this.damaged = damaged;
        this.locks = locks;
    }

    public static StateDirectory open(Path directory) {
        Path state = Directories.privateDirectory(directory);
        Path sandboxes = Directories.privateDirectory(state.resolve("sandboxes"));
        if (bytes(sandboxes) + 1 + HASH_LENGTH + SOCKET_NAME > MAX_SOCKET_PATH) {
            throw new HostSetupException("the state directory " + state + " is too long for unix sockets below it ("
                    + MAX_SOCKET_PATH + " bytes): choose a shorter one");
        }
        try {
            return new StateDirectory(sandboxes, state.resolve("damaged"), SandboxLocks.open(state));
        } catch (IOException e) {
            throw new HostSetupException("cannot open the lock file in " + state + ": " + e, e);
        }
    }

    /** Where templates are; need not exist. */
    public Path templates() {
        return sandboxes.resolveSibling("templates");
    }

    /** Where snapshots are; need not exist. */
    public Path snapshots() {
        return sandboxes.resolveSibling("snapshots");
    }

    /** The lock that who has a snapshot holds as long as it is not closed, unless somebody holds it. */
    public Optional<SandboxLocks.Lock> trySnapshot(String name) {
        return locks.tryLock("snapshot:" + name);
    }

    /**
     * The place of the sandbox with this id, whether it exists or not.
     *
     * @throws io.virtcontainers.InvalidConfigException if no sandbox can have such an id
     */
    public SandboxPlace place(String id) {
        Ids.require("sandbox id", id);
        return new SandboxPlace(id, sandboxes.resolve(directoryName(id)), damaged, locks);
    }

    /**
     * The places of all sandboxes that have a directory. Their ids are those of their documents; one without a document, or
     * with a damaged one, goes by the name of its directory.
     */
    public List<SandboxPlace> places() {
        try (Stream<Path> children = Files.list(sandboxes)) {
            return children.filter(child -> Files.isDirectory(child, java.nio.file.LinkOption.NOFOLLOW_LINKS))
                    .map(child -> new SandboxPlace("", child, damaged, locks))
                    .map(SandboxPlace::withIdOfDocument)
                    .sorted(java.util.Comparator.comparing(SandboxPlace::id))
                    .toList();
        } catch (IOException | java.io.UncheckedIOException e) {
            throw new VirtException("cannot read " + sandboxes + ": " + e, e);
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

    @Override
    public void close() {
        locks.close();
    }
}
