// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.CancelledException;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.SharedFsConfig;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The virtiofsd of one machine, in a {@link ShareNamespace}, which ends with it.
 *
 * <p>It ends when QEMU closes its socket. {@link OrphanReaper} knows it by the socket in its command line.
 */
final class VirtioFsDaemon {
    private static final Logger log = LoggerFactory.getLogger(VirtioFsDaemon.class);
    private static final List<String> DIRECTORIES =
            List.of("/usr/libexec", "/usr/lib/qemu", "/usr/libexec/qemu-kvm", "/usr/bin", "/usr/local/bin");
    /** Where QEMU's virtiofsd keeps a lock for each socket, by its path with dots for slashes; it never deletes them. */
    private static final Path LOCKS = Path.of("/run/virtiofsd");

    private static final Duration END = Duration.ofSeconds(2);
    private static final Duration KILL = Duration.ofSeconds(5);
    private static final long LOOK_MILLIS = 10;

    private final SandboxFiles files;

    /** Of unshare, virtiofsd's parent, which ends with it as it does. */
    private final long pid;

    /** Empty where another process started it. */
    private final Optional<ManagedProcess> process;

    private final ShareNamespace namespace;

    private VirtioFsDaemon(SandboxFiles files, long pid, Optional<ManagedProcess> process) {
        this.files = files;
        this.pid = pid;
        this.process = process;
        this.namespace = new ShareNamespace(files, pid, () -> isOf(pid, files));
    }

    /**
     * Starts it and waits for its socket.
     *
     * @throws HostSetupException if there is no virtiofsd, or it does not start
     */
    static VirtioFsDaemon start(
            ProcessLauncher launcher,
            SandboxFiles files,
            SharedFsConfig settings,
            boolean detached,
            Deadline deadline) {
        String unshare = Programs.require("unshare", ShareNamespace.REMEDY).toString();
        List<String> line = new ArrayList<>();
        // First cut off from the host but for what comes from there, then open for the namespace that virtiofsd makes.
        line.addAll(List.of(unshare, "--mount", "--propagation", "slave", "--"));
        // The process that forks stays in this namespace, which is how more is mounted; virtiofsd leaves it for its
        // own.
        line.addAll(List.of(unshare, "--mount", "--propagation", "shared", "--fork", "--kill-child", "--"));
        line.addAll(List.of(program(settings).toString(), socketArgument(files), "-f"));
        line.addAll(List.of("-o", "source=" + files.shareDirectory(), "-o", "cache=" + settings.cache()));
        line.addAll(settings.daemonArguments());
        try {
            Files.createDirectories(files.shareDirectory());
            ManagedProcess process =
                    launcher.start(line, files.directory(), detached, ProcessLauncher.Surroundings.OURS, deadline);
            VirtioFsDaemon daemon = new VirtioFsDaemon(files, process.pid(), Optional.of(process));
            try {
                daemon.awaitSocket(process, deadline);
                Files.writeString(files.sharePid(), Long.toString(process.pid()));
                daemon.namespace.showDirectory();
                return daemon;
            } catch (IOException | RuntimeException e) {
                daemon.kill();
                throw e;
            }
        } catch (IOException e) {
            throw new HypervisorException("cannot prepare " + files.shareDirectory() + ": " + e, e);
        }
    }

    /** @throws HostSetupException if there is none */
    static Path program(SharedFsConfig settings) {
        return settings.daemon()
                .or(() -> Programs.find("virtiofsd", DIRECTORIES))
                .filter(Files::isExecutable)
                .orElseThrow(() -> new HostSetupException("there is no virtiofsd at "
                        + settings.daemon().map(Path::toString).orElse(DIRECTORIES.toString())
                        + "; install it (Debian 12: \"apt install qemu-system-common\"), or use SharedFs.NONE"));
    }

    static String socketArgument(SandboxFiles files) {
        return "--socket-path=" + files.shareSocket();
    }

    /** That of a machine that another process launched; empty if nothing is shared, or it is dead. */
    static Optional<VirtioFsDaemon> find(SandboxFiles files) {
        try {
            long pid = Long.parseLong(Files.readString(files.sharePid()));
            return isOf(pid, files) ? Optional.of(new VirtioFsDaemon(files, pid, Optional.empty())) : Optional.empty();
        } catch (IOException | NumberFormatException e) {
            return Optional.empty();
        }
    }

    /** It forks: into its namespace, and for what needs no rights. */
    List<Long> processes() {
        return ProcessHandle.of(pid)
                .map(handle -> Stream.concat(Stream.of(handle), handle.descendants())
                        .map(ProcessHandle::pid)
                        .toList())
                .orElse(List.of());
    }

    /** Whether the process that has this pid now is the virtiofsd of this directory. */
    static boolean isOf(long pid, SandboxFiles files) {
        return QemuProcesses.commandLine(pid).contains(socketArgument(files));
    }

    private void awaitSocket(ManagedProcess process, Deadline deadline) {
        while (!Files.exists(files.shareSocket())) {
            if (!process.isAlive()) {
                throw new HostSetupException("virtiofsd did not start: " + ExitReason.lastWords(process.output())
                        + "; it needs root, else use SharedFs.NONE");
            }
            if (deadline.remaining().isZero()) {
                throw deadline.exceeded("the socket of virtiofsd");
            }
            try {
                TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CancelledException("interrupted while virtiofsd started");
            }
        }
    }

    /** Deletes what virtiofsd leaves behind outside of the sandbox's directory. */
    static void deleteLock(SandboxFiles files) {
        try {
            boolean unused = Files.deleteIfExists(
                    LOCKS.resolve(files.shareSocket().toString().replace('/', '.') + ".pid"));
        } catch (IOException e) {
            log.debug("cannot delete the lock of {}: {}", files.shareSocket(), e.getMessage());
        }
    }

    /** Where what it shows is mounted. */
    ShareNamespace namespace() {
        return namespace;
    }

    /** When it ends: how. Never completes for one that another process started. */
    CompletableFuture<String> ending() {
        CompletableFuture<String> failed = new CompletableFuture<>();
        process.ifPresent(started -> {
            var unused = started.exit().thenAccept(code -> {
                int number = code.orElse(0);
                failed.complete("virtiofsd "
                        + (number > 128 ? "was killed by signal " + (number - 128) : "exited with code " + number)
                        + ": " + ExitReason.lastWords(started.output()));
            });
        });
        return failed;
    }

    /** Waits for its end after QEMU's, and kills it if it does not come. */
    void end() {
        process.ifPresent(started -> {
            try {
                if (!started.waitFor(END)) {
                    kill();
                }
            } catch (InterruptedException e) {
                kill();
                Thread.currentThread().interrupt();
            }
        });
        deleteLock(files);
    }

    /** Of a launch that failed. */
    void kill() {
        process.ifPresent(started -> {
            if (!started.killAndWait(KILL)) {
                log.error("virtiofsd survived SIGKILL pid={}", pid);
            }
        });
        deleteLock(files);
    }

    /** Watches it no longer. */
    void release() {
        process.ifPresent(ManagedProcess::close);
    }
}
