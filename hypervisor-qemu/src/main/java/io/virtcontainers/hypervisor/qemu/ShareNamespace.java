// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.CancelledException;
import io.virtcontainers.Device;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The mount namespace of the process that shows a guest the host's files: virtiofsd, or QEMU itself for 9p. The guest sees one
 * directory, read-only in itself; each shared directory or file of the host is a bind mount below it, made inside that
 * namespace only. So the host's own mount table is never touched, and all mounts end with the process. Mounts that the host
 * makes later come in, where the host's mounts propagate; nothing propagates back.
 */
final class ShareNamespace {
    private static final Logger log = LoggerFactory.getLogger(ShareNamespace.class);

    static final String REMEDY = "it is of util-linux (\"apt install util-linux mount\")";

    /** The programs of the host that it takes. */
    static final List<String> TOOLS = List.of("mount", "umount", "nsenter", "unshare");

    private static final long LOOK_MILLIS = 1;

    private final ProcessLauncher launcher;
    private final SandboxFiles files;
    private final long pid;
    private final BooleanSupplier alive;

    /**
     * @param pid a process in the namespace
     * @param alive whether the pid is still that process's
     */
    ShareNamespace(ProcessLauncher launcher, SandboxFiles files, long pid, BooleanSupplier alive) {
        this.launcher = launcher;
        this.files = files;
        this.pid = pid;
        this.alive = alive;
    }

    /** That of a QEMU which shares files by 9p. */
    static ShareNamespace ofQemu(ProcessLauncher launcher, SandboxFiles files, long pid) {
        return new ShareNamespace(launcher, files, pid, () -> QemuProcesses.belongsTo(pid, files));
    }

    /**
     * Makes a namespace with the directory for a QEMU that is started in it then. The process that is returned keeps it until
     * then, and ends with this Java process.
     */
    static ManagedProcess prepare(ProcessLauncher launcher, SandboxFiles files, Deadline deadline) {
        Path tail = Programs.require("tail", "it is of coreutils (\"apt install coreutils\")");
        List<String> line = List.of(
                Programs.require("unshare", REMEDY).toString(),
                "--mount",
                "--propagation",
                "slave",
                "--",
                tail.toString(),
                "--pid=" + ProcessHandle.current().pid(),
                "--follow",
                "/dev/null");
        ManagedProcess keeper = launcher.start(line, Path.of("/"), deadline);
        try {
            Files.createDirectories(files.shareDirectory());
            awaitProgram(keeper, tail, deadline);
            new ShareNamespace(launcher, files, keeper.pid(), keeper::isAlive).showDirectory(deadline);
            return keeper;
        } catch (IOException e) {
            keeper.kill();
            throw new HypervisorException("cannot prepare " + files.shareDirectory() + ": " + e, e);
        } catch (RuntimeException e) {
            keeper.kill();
            throw e;
        }
    }

    /** Until unshare has made the namespace, cut it off from the host's, and become this program. */
    private static void awaitProgram(ManagedProcess process, Path program, Deadline deadline) throws IOException {
        Path running = Path.of("/proc", Long.toString(process.pid()), "exe");
        while (!process.isAlive() || !isSame(running, program)) {
            if (!process.isAlive()) {
                throw new HostSetupException("cannot make a mount namespace for 9p: "
                        + ExitReason.lastWords(process.output()) + "; it needs root, else use SharedFs.NONE");
            }
            if (deadline.remaining().isZero()) {
                throw deadline.exceeded("a mount namespace for 9p");
            }
            try {
                TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CancelledException("interrupted while a mount namespace was made");
            }
        }
    }

    private static boolean isSame(Path running, Path program) {
        try {
            return Files.isSameFile(running, program);
        } catch (IOException e) {
            return false; // it has ended, which the caller sees
        }
    }

    /** Options of nsenter that lead there. */
    static String entry(long pid) {
        return "--mount=/proc/" + pid + "/ns/mnt";
    }

    /** Makes the directory that the guest sees read-only in itself. */
    void showDirectory(Deadline deadline) {
        mount(List.of("--bind"), files.shareDirectory(), files.shareDirectory(), true, deadline);
    }

    /** Shows the guest a directory or file; returns its name in the shared directory. */
    String add(Device.Shared shared, Deadline deadline) {
        Path place = files.shareDirectory().resolve(shared.id());
        try {
            Path source = shared.source().toRealPath();
            makePlace(source, place);
            if (shared.readOnly()) {
                addReadOnly(source, place, deadline);
            } else {
                mount(List.of("--rbind"), source, place, false, deadline);
            }
        } catch (IOException e) {
            throw new HypervisorException("cannot share " + shared.source() + ": " + e, e);
        } catch (RuntimeException e) {
            remove(shared.id(), deadline);
            throw e;
        }
        return shared.id();
    }

    private static void makePlace(Path source, Path place) throws IOException {
        if (Files.isDirectory(source)) {
            Files.createDirectories(place);
        } else if (Files.isRegularFile(source)) {
            Files.write(place, new byte[0]);
        } else {
            throw new InvalidConfigException("source", source.toString(), "is no directory or regular file");
        }
    }

    /**
     * The guest must never see it as one that can be written, and a mount reaches virtiofsd's own namespace as it is when it
     * is made. So it is made read-only at a place that is not shown, and taken from there; without the mounts below, which
     * would not be read-only.
     */
    private void addReadOnly(Path source, Path place, Deadline deadline) throws IOException {
        Path stage = files.directory().resolve("stage-" + place.getFileName());
        makePlace(source, stage);
        try {
            mount(List.of("--bind"), source, stage, true, deadline);
            mount(List.of("--bind"), stage, place, false, deadline);
        } finally {
            unmount(stage, deadline);
            Files.deleteIfExists(stage);
        }
    }

    boolean has(String id) {
        return Files.exists(files.shareDirectory().resolve(id));
    }

    /** Takes it away, also under open files of the guest; does nothing if it is not there. */
    void remove(String id, Deadline deadline) {
        Path place = files.shareDirectory().resolve(id);
        if (!Files.exists(place)) {
            return;
        }
        if (alive.getAsBoolean()) {
            unmount(place, deadline);
        }
        try {
            Files.deleteIfExists(place); // what is mounted on it is in the other namespace; never recursive
        } catch (IOException e) {
            throw new HypervisorException("cannot remove the mount point " + place + ": " + e, e);
        }
    }

    private void unmount(Path place, Deadline deadline) {
        inside(List.of(Programs.require("umount", REMEDY).toString(), "--lazy", place.toString()), deadline)
                .ifPresent(problem -> log.debug("umount {}: {}", place, problem));
    }

    private void mount(List<String> how, Path source, Path target, boolean readOnly, Deadline deadline) {
        String mount = Programs.require("mount", REMEDY).toString();
        List<String> line = new ArrayList<>(List.of(mount, "--no-mtab", "--no-canonicalize"));
        line.addAll(how);
        line.addAll(List.of("--", source.toString(), target.toString()));
        Optional<String> problem = inside(line, deadline);
        if (problem.isEmpty() && readOnly) {
            problem = inside(
                    List.of(mount, "--no-mtab", "--no-canonicalize", "-o", "remount,bind,ro", target.toString()),
                    deadline);
        }
        problem.ifPresent(words -> {
            throw new HypervisorException("cannot show " + source + " to the guest: " + words);
        });
    }

    /** Runs a program in the namespace; returns what it said if it failed. */
    private Optional<String> inside(List<String> command, Deadline deadline) {
        List<String> line =
                new ArrayList<>(List.of(Programs.require("nsenter", REMEDY).toString(), entry(pid), "--"));
        line.addAll(command);
        ManagedProcess run = launcher.start(line, Path.of("/"), deadline);
        try {
            int code =
                    deadline.await(run.exit(), "the end of " + command.get(0)).orElse(0);
            return code == 0 ? Optional.empty() : Optional.of(ExitReason.lastWords(run.output()));
        } catch (RuntimeException e) {
            run.kill();
            throw e;
        }
    }
}
