// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.cgroup;

import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.HostCgroup;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Makes, fills and removes control groups, in the hierarchies that the host has. Stateless. */
public final class HostCgroups {
    private static final Path MOUNT = Path.of("/sys/fs/cgroup");
    private static final long BETWEEN_TRIES_MILLIS = 20;

    private final Hierarchies hierarchies;

    private HostCgroups(Hierarchies hierarchies) {
        this.hierarchies = hierarchies;
    }

    /** Those of this host. */
    public static HostCgroups ofHost() {
        return at(MOUNT);
    }

    /** @param mount where they are mounted: the one of version 2, or a directory with those of version 1 */
    static HostCgroups at(Path mount) {
        return new HostCgroups(
                Files.exists(mount.resolve("cgroup.controllers"))
                        ? new UnifiedHierarchy(mount)
                        : new OldHierarchies(mount));
    }

    /**
     * Makes it with its limits.
     *
     * @throws HostSetupException if this process lacks the rights, or the host a controller for a limit
     */
    public void make(HostCgroup group) {
        try {
            for (Path directory : hierarchies.directories(group.path())) {
                Files.createDirectories(directory.getParent());
                hierarchies.prepareParents(directory);
                Files.createDirectory(directory);
            }
            hierarchies.prepare(group);
            hierarchies.limit(group);
        } catch (FileAlreadyExistsException e) {
            throw new AlreadyExistsException("the cgroup " + group.path() + " is there already (" + e.getMessage()
                    + "): give each sandbox one of its own");
        } catch (IOException e) {
            throw failed("make", group.path(), e);
        }
    }

    /** @throws HostSetupException if the kernel refuses a limit */
    public void limit(HostCgroup group) {
        try {
            hierarchies.limit(group);
        } catch (IOException e) {
            throw failed("limit", group.path(), e);
        }
    }

    /** Refuses one that is there, before anything says that it is ours. */
    public void requireAbsent(HostCgroup group) {
        for (Path directory : hierarchies.directories(group.path())) {
            if (Files.exists(directory)) {
                throw new AlreadyExistsException("the cgroup " + group.path() + " is there already (" + directory
                        + "): give each sandbox one of its own");
            }
        }
    }

    /**
     * Moves a process into it.
     *
     * @param threads of virtual processors
     */
    public void join(HostCgroup group, long pid, List<Long> threads) {
        try {
            hierarchies.join(group, pid, threads);
        } catch (IOException e) {
            throw failed("move process " + pid + " into", group.path(), e);
        }
    }

    /** Moves a process that is no hypervisor into it as a whole. */
    public void joinWhole(HostCgroup group, long pid) {
        try {
            hierarchies.joinWhole(group.path(), pid);
        } catch (IOException e) {
            throw failed("move process " + pid + " into", group.path(), e);
        }
    }

    /**
     * Removes it; the hypervisor must have ended, which the kernel may notice some moments later. Others are moved to the
     * parent.
     */
    public void remove(String path, Deadline deadline) {
        for (Path directory : hierarchies.removals(path)) {
            remove(directory, path, deadline);
        }
    }

    private static void remove(Path directory, String path, Deadline deadline) {
        while (true) {
            try {
                boolean unused = Files.deleteIfExists(directory);
                return;
            } catch (IOException e) {
                if (deadline.remaining().isZero()) {
                    throw failed("remove", path, e);
                }
            }
            moveToParent(directory);
            try {
                TimeUnit.MILLISECONDS.sleep(BETWEEN_TRIES_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CancelledException("interrupted while the cgroup " + path + " was removed");
            }
        }
    }

    private static void moveToParent(Path directory) {
        try {
            for (String pid : Files.readAllLines(directory.resolve("cgroup.procs"))) {
                Hierarchies.write(directory.resolveSibling("cgroup.procs"), pid);
            }
        } catch (IOException e) {
            return; // they have ended, or the parent takes none: the removal tells
        }
    }

    private static HostSetupException failed(String action, String path, IOException e) {
        return new HostSetupException(
                "cannot " + action + " the cgroup " + path + ": " + e + "; it needs root, and its controllers", e);
    }
}
