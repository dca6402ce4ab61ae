// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.Directories;
import io.virtcontainers.core.state.SandboxLocks;
import io.virtcontainers.core.state.StateDirectory;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.MachineKey;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The snapshots of an engine. Each has a directory, and a lock across processes as long as it is not closed: what has a
 * directory and no lock was left by a process that was killed, and is swept. Thread-safe.
 */
final class Snapshots {
    private static final Logger log = LoggerFactory.getLogger(Snapshots.class);
    private static final Duration REAP = Duration.ofSeconds(10);
    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");
    private static final String MACHINE = "vm";

    /** Short: sockets are below the directory. */
    private static final int NAME_LENGTH = 12;

    private final Path directory;
    private final StateDirectory state;
    private final Backends backends;
    private final List<SavedSandbox> open = new CopyOnWriteArrayList<>();

    Snapshots(StateDirectory state, Backends backends) {
        this.directory = state.snapshots();
        this.state = state;
        this.backends = backends;
    }

    /**
     * Saves a machine that runs; it runs on afterwards.
     *
     * @param content with the machine as it is
     */
    SavedSandbox make(
            VirtualMachine machine, SavedSandbox.Content content, MachineKey key, Phases phases, Deadline deadline) {
        String name = UUID.randomUUID().toString().replace("-", "").substring(0, NAME_LENGTH);
        Path place = Directories.privateDirectory(directory).resolve(name);
        SandboxLocks.Lock ownership = state.trySnapshot(name)
                .orElseThrow(() -> new VirtException("another process has a snapshot " + name + ": try again"));
        try {
            Path vm = Files.createDirectories(place.resolve(MACHINE), PosixFilePermissions.asFileAttribute(PRIVATE));
            Path memory = vm.resolve("memory");
            SavedFiles files = new SavedFiles(place);
            backends.hypervisor()
                    .copy(
                            machine,
                            content.machine().in(vm).withMemoryImage(new MemoryImage.Copy(memory)),
                            files.state(),
                            phases,
                            deadline);
            files.sealWith(memory, key);
            Directories.delete(vm);
            SavedSandbox saved = new SavedSandbox(place, ownership, content, open::remove);
            open.add(saved);
            return saved;
        } catch (IOException e) {
            throw undone(place, ownership, SavedFiles.failed("snapshot", place, e));
        } catch (RuntimeException e) {
            throw undone(place, ownership, e);
        }
    }

    private static RuntimeException undone(Path place, SandboxLocks.Lock ownership, RuntimeException reason) {
        Interrupts.heldBack(() -> {
            try (ownership) {
                Directories.delete(place);
            } catch (IOException e) {
                reason.addSuppressed(e);
            }
        });
        return reason;
    }

    boolean has(SavedSandbox saved) {
        return open.contains(saved);
    }

    /** Closes all that are open. */
    void close() {
        for (SavedSandbox saved : open) {
            saved.close();
        }
    }

    /** Removes what killed processes left. */
    void sweep() {
        if (!Files.isDirectory(directory)) {
            return;
        }
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path place : entries) {
                sweep(place);
            }
        } catch (IOException e) {
            log.warn("cannot tidy up the snapshots of killed processes", e);
        }
    }

    private void sweep(Path place) {
        Optional<SandboxLocks.Lock> ownership = state.trySnapshot(String.valueOf(place.getFileName()));
        if (ownership.isEmpty()) {
            return;
        }
        try (SandboxLocks.Lock held = ownership.get()) {
            if (Files.isDirectory(place.resolve(MACHINE))) {
                backends.hypervisor().reap(place.resolve(MACHINE), Deadline.after(REAP));
            }
            Directories.delete(place);
            log.info("removed the snapshot of a killed process: snapshot={}", place.getFileName());
        } catch (IOException | VirtException e) {
            log.warn("cannot remove the snapshot of a killed process: {}", place, e);
        }
    }
}
