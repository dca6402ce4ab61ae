// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.CancelledException;
import io.virtcontainers.Device;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.linux.LinuxException;
import io.virtcontainers.linux.MountNamespace;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The mount namespace of the process that shows a guest the host's files: virtiofsd, or QEMU itself for 9p. The guest sees one
 * directory, read-only in itself; each shared directory or file of the host is a bind mount below it, made inside that
 * namespace only. So the host's own mount table is never touched, and all mounts end with the process. What is mounted on the
 * host when a source is added comes with it; what the host mounts below it later, where the host's mounts propagate. Nothing
 * propagates back.
 */
final class ShareNamespace {
    private static final Logger log = LoggerFactory.getLogger(ShareNamespace.class);

    static final String REMEDY = "it is of util-linux (\"apt install util-linux\")";

    /** The programs of the host that it takes. */
    static final List<String> TOOLS = List.of("nsenter", "unshare");

    private static final long LOOK_MILLIS = 1;

    private final SandboxFiles files;
    private final MountNamespace namespace;
    private final BooleanSupplier alive;

    /**
     * @param pid a process in the namespace
     * @param alive whether the pid is still that process's
     */
    ShareNamespace(SandboxFiles files, long pid, BooleanSupplier alive) {
        this.files = files;
        this.namespace = MountNamespace.of(pid);
        this.alive = alive;
    }

    /** That of a QEMU which shares files by 9p. */
    static ShareNamespace ofQemu(SandboxFiles files, long pid) {
        return new ShareNamespace(files, pid, () -> QemuProcesses.belongsTo(pid, files));
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
            new ShareNamespace(files, keeper.pid(), keeper::isAlive).showDirectory();
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
    void showDirectory() {
        mount(files.shareDirectory(), files.shareDirectory(), true);
    }

    /** Shows the guest a directory or file; returns its name in the shared directory. */
    String add(Device.Shared shared) {
        Path place = files.shareDirectory().resolve(shared.id());
        try {
            Path source = shared.source().toRealPath();
            makePlace(source, place);
            mount(source, place, shared.readOnly());
        } catch (IOException e) {
            throw new HypervisorException("cannot share " + shared.source() + ": " + e, e);
        } catch (RuntimeException e) {
            remove(shared.id());
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

    boolean has(String id) {
        return Files.exists(files.shareDirectory().resolve(id));
    }

    /** Takes it away, also under open files of the guest; does nothing if it is not there. */
    void remove(String id) {
        Path place = files.shareDirectory().resolve(id);
        if (!Files.exists(place)) {
            return;
        }
        if (alive.getAsBoolean()) {
            try {
                namespace.unmount(place);
            } catch (LinuxException e) {
                log.debug("cannot unmount in the share's namespace: {}", e.getMessage());
            }
        }
        try {
            Files.deleteIfExists(place); // what is mounted on it is in the other namespace; never recursive
        } catch (IOException e) {
            throw new HypervisorException("cannot remove the mount point " + place + ": " + e, e);
        }
    }

    private void mount(Path source, Path place, boolean readOnly) {
        try {
            namespace.bind(source, place, readOnly);
        } catch (LinuxException e) {
            throw new HypervisorException("cannot show " + source + " to the guest: " + e.getMessage(), e);
        }
    }
}
