// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import com.google.common.hash.Hashing;
import io.virtcontainers.CancelledException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.Directories;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Booted machines, saved when their agent answered and before anything private was in them, from which sandboxes are cloned.
 * One for each kind of machine, by the hypervisor's key of all that must match; made at the first use, under a lock across
 * processes. A template appears by one rename when it is whole; what a crash leaves is swept. At each use the checksum of
 * the state is verified, and that the memory's file is the one that was written and was not touched since (size, inode, time
 * of the last change of data or attributes): a checksum of all memory would take longer than a boot. Thread-safe.
 */
final class Templates {
    private static final Logger log = LoggerFactory.getLogger(Templates.class);

    /** Each has as much memory as its guest has touched, on a tmpfs. */
    private static final int MOST = 4;

    private static final Duration LOCK_POLL = Duration.ofMillis(20);
    private static final Duration MAKING = Duration.ofMinutes(2);
    private static final Duration STOP = Duration.ofSeconds(10);
    private static final String NEW = "new-";
    private static final String MEMORY = "memory";
    private static final String STATE = "state";
    private static final String MANIFEST = "manifest";
    private static final int MAX_MANIFEST = 4096;
    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");

    private final Path directory;
    private final Backends backends;
    private final ReentrantLock threads = new ReentrantLock();

    /** @param directory need not exist */
    Templates(Path directory, Backends backends) {
        this.directory = directory;
        this.backends = backends;
    }

    /**
     * The template for a machine; makes it if there is none that can be trusted.
     *
     * @throws io.virtcontainers.UnsupportedException with what hinders it, if such a machine cannot be cloned
     */
    MemoryImage.Clone get(VmConfig machine, Phases phases, Deadline deadline) {
        String key = backends.hypervisor().templateKey(machine, phases, deadline);
        Path template = Directories.privateDirectory(directory).resolve(key);
        Optional<String> problem = problem(template);
        if (problem.isPresent()) {
            try (Phases.Phase phase = phases.begin("template.make")) {
                underLock(deadline, () -> {
                    Optional<String> now = problem(template); // another process may have been quicker
                    if (now.isPresent()) {
                        make(template, machine, now.get(), phases);
                    }
                });
            }
        }
        try {
            Files.setLastModifiedTime(template, FileTime.fromMillis(System.currentTimeMillis()));
        } catch (IOException e) {
            log.debug("the use of a template is not noted: template={} error={}", key, e.toString());
        }
        return new MemoryImage.Clone(template.resolve(MEMORY), template.resolve(STATE));
    }

    /** Why a template cannot be used; empty if it can. */
    private static Optional<String> problem(Path template) {
        Path manifest = template.resolve(MANIFEST);
        if (!Files.exists(manifest)) {
            return Optional.of("there is none");
        }
        try {
            if (Files.size(manifest) > MAX_MANIFEST) {
                return Optional.of("its manifest is too long");
            }
            return Files.readString(manifest).equals(manifest(template))
                    ? Optional.empty()
                    : Optional.of("its state or memory is not what was written");
        } catch (IOException e) {
            return Optional.of("it cannot be read: " + e);
        }
    }

    private static String manifest(Path template) throws IOException {
        Path memory = template.resolve(MEMORY);
        return "memory " + Files.size(memory) + " " + Files.getAttribute(memory, "unix:ino") + " "
                + Files.getAttribute(memory, "unix:ctime") + "\nstate "
                + com.google.common.io.Files.asByteSource(
                                template.resolve(STATE).toFile())
                        .hash(Hashing.sha256())
                + "\n";
    }

    /** Needs the lock. */
    private void make(Path template, VmConfig machine, String reason, Phases phases) {
        log.info("making a template, as {}: template={}", reason, template.getFileName());
        try {
            Directories.delete(template);
            evict(MOST - 1);
            Path work = Files.createTempDirectory(directory, NEW, PosixFilePermissions.asFileAttribute(PRIVATE));
            try {
                Path saved = Files.createDirectory(work.resolve("t"), PosixFilePermissions.asFileAttribute(PRIVATE));
                Path vm = Files.createDirectory(work.resolve("vm"), PosixFilePermissions.asFileAttribute(PRIVATE));
                save(machine, vm, saved, phases);
                Files.writeString(saved.resolve(MANIFEST), manifest(saved));
                Files.move(saved, template, StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Directories.delete(work);
            }
        } catch (IOException e) {
            throw new HostSetupException(
                    "cannot make a template in " + directory + ": " + e
                            + "; free some space, or boot without templates",
                    e);
        }
    }

    private void save(VmConfig machine, Path vm, Path saved, Phases phases) {
        Deadline deadline = Deadline.after(MAKING);
        VmConfig template = new VmConfig(
                        "template",
                        vm,
                        machine.vcpus(),
                        machine.memory(),
                        machine.detached(),
                        machine.settings(),
                        machine.image(),
                        machine.kernelParameters())
                .withMemoryImage(new MemoryImage.Template(saved.resolve(MEMORY)));
        VirtualMachine launched = backends.hypervisor().launch(template, phases, deadline);
        try {
            try (Agent agent = backends.agents().connect(launched.channels().get(0), () -> false)) {
                agent.awaitReady(deadline);
            }
            launched.save(saved.resolve(STATE), deadline);
        } finally {
            Interrupts.heldBack(() -> launched.stop(Deadline.after(STOP)));
        }
    }

    /** Removes the least recently used ones beyond a number. What clones of them use stays until they end. */
    private void evict(int most) throws IOException {
        List<Path> all = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                if (Files.isDirectory(entry) && !entry.getFileName().toString().startsWith(NEW)) {
                    all.add(entry);
                }
            }
        }
        all.sort(Comparator.comparing(Templates::lastUse));
        for (int i = 0; i < all.size() - most; i++) {
            Directories.delete(all.get(i));
        }
    }

    private static FileTime lastUse(Path template) {
        try {
            return Files.getLastModifiedTime(template);
        } catch (IOException e) {
            return FileTime.fromMillis(0);
        }
    }

    /** Removes one that a machine did not start from. */
    void discard(MemoryImage.Clone clone) {
        try {
            Path template = clone.memory().getParent();
            if (template != null) {
                Directories.delete(template);
            }
        } catch (IOException e) {
            log.warn("a template that cannot be used is still there: {}", clone.memory(), e);
        }
    }

    /** Ends and removes what a crashed process began to make; does nothing while another one makes one. */
    void sweep() {
        if (!Files.isDirectory(directory)) {
            return;
        }
        try (FileChannel file = lockFile();
                FileLock lock = file.tryLock();
                DirectoryStream<Path> entries = Files.newDirectoryStream(directory, NEW + "*")) {
            if (lock != null) {
                for (Path work : entries) {
                    backends.hypervisor().reap(work.resolve("vm"), Deadline.after(STOP));
                    Directories.delete(work);
                }
            }
        } catch (IOException | java.nio.channels.OverlappingFileLockException e) {
            log.debug("templates are not tidied up now: {}", e.toString());
        } catch (VirtException e) {
            log.warn("cannot tidy up what a crashed process left of a template", e);
        }
    }

    private FileChannel lockFile() throws IOException {
        return FileChannel.open(directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }

    private void underLock(Deadline deadline, Runnable work) {
        threads.lock();
        try (FileChannel file = lockFile()) {
            while (true) {
                try (FileLock lock = file.tryLock()) {
                    if (lock != null) {
                        work.run();
                        return;
                    }
                }
                if (deadline.remaining().isZero()) {
                    throw deadline.exceeded("the making of a template by another process");
                }
                Thread.sleep(LOCK_POLL.toMillis());
            }
        } catch (IOException e) {
            throw new HostSetupException("cannot lock the templates in " + directory + ": " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while waiting for a template");
        } finally {
            threads.unlock();
        }
    }
}
