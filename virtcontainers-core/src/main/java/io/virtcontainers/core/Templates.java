// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.CancelledException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Template;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.state.Directories;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.MachineKey;
import io.virtcontainers.spi.MachineSize;
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
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Booted machines, saved when their agent answered and before anything private was in them, from which sandboxes are cloned.
 * One for each kind of machine, by the hypervisor's key of all that must match; made at the first use, under a lock across
 * processes. A template appears by one rename when it is whole; what a crash leaves is swept. At each use it is looked at
 * whether it is what was written, by the same hypervisor: see {@link SavedFiles}. Thread-safe.
 */
final class Templates {
    private static final Logger log = LoggerFactory.getLogger(Templates.class);

    /** Each has as much memory as its guest has touched, on a tmpfs. */
    private static final int MOST = 4;

    private static final Duration LOCK_POLL = Duration.ofMillis(20);
    private static final Duration MAKING = Duration.ofMinutes(2);
    private static final Duration STOP = Duration.ofSeconds(10);
    private static final String NEW = "new-";
    private static final Pattern ID = Pattern.compile("[0-9a-f]{8,64}");
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
     * A machine as the clone of a template: of one as large, or of a smaller one from which it can grow; if there is none
     * that can be trusted, of one as large that is made.
     *
     * @return the machine, as large as its template
     * @throws io.virtcontainers.UnsupportedException with what hinders it, if such a machine cannot be cloned
     */
    VmConfig clone(VmConfig machine, Phases phases, Deadline deadline) {
        MachineKey key = backends.hypervisor().templateKey(machine, phases, deadline);
        SavedFiles exact = files(key);
        if (exact.problem(key).isPresent()) {
            Optional<VmConfig> smaller = ofSmaller(machine, key, phases, deadline);
            if (smaller.isPresent()) {
                return smaller.get();
            }
            make(exact, key, machine, phases, deadline);
        }
        return machine.withMemoryImage(used(exact));
    }

    private SavedFiles files(MachineKey key) {
        return new SavedFiles(Directories.privateDirectory(directory).resolve(key.digest()));
    }

    private Optional<VmConfig> ofSmaller(VmConfig machine, MachineKey key, Phases phases, Deadline deadline) {
        List<MachineSize> sizes;
        try {
            sizes = directories().stream()
                    .flatMap(template -> new SavedFiles(template).sizeIn(key.family()).stream())
                    .filter(size -> canGrow(machine.settings(), size, key.size()))
                    .sorted(Comparator.comparing(MachineSize::memory)
                            .thenComparing(MachineSize::vcpus)
                            .reversed())
                    .toList();
        } catch (IOException e) {
            log.debug("a smaller template is not looked for: {}", e.toString());
            return Optional.empty();
        }
        for (MachineSize size : sizes) {
            VmConfig smaller = machine.withSize(size);
            MachineKey itsKey = backends.hypervisor().templateKey(smaller, phases, deadline);
            SavedFiles template = files(itsKey);
            if (template.problem(itsKey).isEmpty()) {
                return Optional.of(smaller.withMemoryImage(used(template)));
            }
        }
        return Optional.empty();
    }

    /** By whole blocks of memory, which is what can be plugged in. */
    private static boolean canGrow(HypervisorConfig settings, MachineSize from, MachineSize to) {
        long more = to.memory().bytes() - from.memory().bytes();
        boolean memory = more == 0
                || (more > 0
                        && more % MachineFit.BLOCK == 0
                        && settings.memory().max().isPresent()
                        && settings.memory().slots() > 0);
        boolean processors = from.vcpus() == to.vcpus()
                || (from.vcpus() < to.vcpus() && settings.machine().maxVcpus() >= to.vcpus());
        return memory && processors;
    }

    private static MemoryImage.Clone used(SavedFiles template) {
        try {
            Files.setLastModifiedTime(template.directory(), FileTime.fromMillis(System.currentTimeMillis()));
        } catch (IOException e) {
            log.debug("the use of a template is not noted: template={} error={}", template, e.toString());
        }
        return template.image();
    }

    private void make(SavedFiles template, MachineKey key, VmConfig machine, Phases phases, Deadline deadline) {
        try (Phases.Phase phase = phases.begin("template.make")) {
            underLock(deadline, () -> {
                Optional<String> now = template.problem(key); // another process may have been quicker
                if (now.isPresent()) {
                    make(template, key, machine, now.get(), phases);
                }
            });
        }
    }

    /** Needs the lock. */
    private void make(SavedFiles template, MachineKey key, VmConfig machine, String reason, Phases phases) {
        log.info("making a template, as {}: template={}", reason, key.digest());
        try {
            Directories.delete(template.directory());
            evict(MOST - 1);
            Path work = Files.createTempDirectory(directory, NEW, PosixFilePermissions.asFileAttribute(PRIVATE));
            try {
                SavedFiles saved = new SavedFiles(
                        Files.createDirectory(work.resolve("t"), PosixFilePermissions.asFileAttribute(PRIVATE)));
                Path vm = Files.createDirectory(work.resolve("vm"), PosixFilePermissions.asFileAttribute(PRIVATE));
                save(machine, vm, saved, phases);
                saved.seal(key);
                Files.move(saved.directory(), template.directory(), StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Directories.delete(work);
            }
        } catch (IOException e) {
            throw SavedFiles.failed("template", directory, e);
        }
    }

    private void save(VmConfig machine, Path vm, SavedFiles saved, Phases phases) {
        Deadline deadline = Deadline.after(MAKING);
        VmConfig template = machine.of("template", vm).withMemoryImage(new MemoryImage.Template(saved.memory()));
        VirtualMachine launched = backends.hypervisor().launch(template, phases, deadline);
        try {
            try (Agent agent = backends.agents().connect(launched.channels().get(0), () -> false)) {
                agent.awaitReady(deadline);
            }
            launched.save(saved.state(), deadline);
        } finally {
            Interrupts.heldBack(() -> launched.stop(Deadline.after(STOP)));
        }
    }

    /** All, the one used last first. */
    List<Template> list() {
        try {
            return directories().stream()
                    .sorted(Comparator.comparing(Templates::lastUse).reversed())
                    .map(Templates::told)
                    .toList();
        } catch (IOException e) {
            throw new HostSetupException("cannot list the templates in " + directory + ": " + e, e);
        }
    }

    private static Template told(Path template) {
        SavedFiles files = new SavedFiles(template);
        return new Template(
                String.valueOf(template.getFileName()),
                files.said("hypervisor").orElse(""),
                MemorySize.ofBytes(files.bytes()),
                lastUse(template).toInstant(),
                files.damage());
    }

    /** The one for a machine; makes it if there is none that can be trusted. */
    Template init(VmConfig machine, Phases phases, Deadline deadline) {
        MachineKey key = backends.hypervisor().templateKey(machine, phases, deadline);
        SavedFiles exact = files(key);
        if (exact.problem(key).isPresent()) {
            make(exact, key, machine, phases, deadline);
        }
        MemoryImage.Clone unused = used(exact);
        return told(exact.directory());
    }

    /** Removes one; does nothing if it is not there. */
    void destroy(String id, Deadline deadline) {
        if (!ID.matcher(id).matches()) {
            throw new InvalidConfigException("template", id, "is no id of a template: take one that list() tells");
        }
        if (Files.isDirectory(directory)) {
            underLock(deadline, () -> {
                try {
                    Directories.delete(directory.resolve(id));
                } catch (IOException e) {
                    throw new HostSetupException("cannot remove the template " + id + ": " + e, e);
                }
            });
        }
    }

    /** Removes the least recently used ones beyond a number. What clones of them use stays until they end. */
    private void evict(int most) throws IOException {
        List<Path> all = directories();
        all.sort(Comparator.comparing(Templates::lastUse));
        for (int i = 0; i < all.size() - most; i++) {
            Directories.delete(all.get(i));
        }
    }

    private List<Path> directories() throws IOException {
        List<Path> all = new ArrayList<>();
        if (Files.isDirectory(directory)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
                for (Path entry : entries) {
                    if (Files.isDirectory(entry)
                            && !entry.getFileName().toString().startsWith(NEW)) {
                        all.add(entry);
                    }
                }
            }
        }
        return all;
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
