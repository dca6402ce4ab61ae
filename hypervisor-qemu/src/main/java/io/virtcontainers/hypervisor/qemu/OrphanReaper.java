// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.CancelledException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends QEMUs and virtiofsds that an owner left behind, known by {@link QemuProcesses} and {@link VirtioFsDaemon}. They are asked who they are once more when they are
 * watched, and signals go to what is watched, so never to a successor.
 */
final class OrphanReaper {
    private static final Logger log = LoggerFactory.getLogger(OrphanReaper.class);
    private static final Duration TERMINATE = Duration.ofSeconds(1);
    private static final Path PROC = Path.of("/proc");

    private final ProcessLauncher launcher;

    OrphanReaper(ProcessLauncher launcher) {
        this.launcher = launcher;
    }

    void reap(Path sandboxDirectory, Deadline deadline) {
        SandboxFiles files = new SandboxFiles(sandboxDirectory);
        for (long pid : find(files)) {
            Optional<ManagedProcess> watched = launcher.watch(pid);
            if (watched.isPresent()) {
                try (ManagedProcess process = watched.get()) {
                    if (isOurs(pid, files)) {
                        log.info("ending an orphaned process pid={} directory={}", pid, sandboxDirectory);
                        end(process, sandboxDirectory, deadline);
                    }
                }
            }
        }
        VirtioFsDaemon.deleteLock(files);
    }

    private static List<Long> find(SandboxFiles files) {
        List<Long> found = new ArrayList<>();
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            UserPrincipal user = Files.getOwner(PROC.resolve("self"));
            for (Path directory : processes) {
                long pid = Long.parseLong(directory.getFileName().toString());
                if (isOwner(user, directory) && isOurs(pid, files)) {
                    found.add(pid);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            throw new HypervisorException("cannot list the processes in " + PROC + ": " + e, e);
        }
        return found;
    }

    private static boolean isOurs(long pid, SandboxFiles files) {
        return QemuProcesses.belongsTo(pid, files) || VirtioFsDaemon.isOf(pid, files);
    }

    private static boolean isOwner(UserPrincipal user, Path directory) {
        try {
            // Root may have started one as another user.
            return user.getName().equals("root") || Files.getOwner(directory).equals(user);
        } catch (IOException e) {
            return false;
        }
    }

    private static void end(ManagedProcess process, Path sandboxDirectory, Deadline deadline) {
        process.terminate();
        try {
            if (process.waitFor(deadline.atMost(TERMINATE)
                    .atMost(deadline.remaining().dividedBy(2))
                    .remaining())) {
                return;
            }
        } catch (InterruptedException e) {
            process.kill();
            Thread.currentThread().interrupt();
            throw new CancelledException("interrupted while ending the orphaned QEMU " + process.pid());
        }
        if (!process.killAndWait(deadline.remaining())) {
            throw new HypervisorException("cannot end the orphaned QEMU with pid " + process.pid() + " of "
                    + sandboxDirectory + " within the deadline; end it by hand");
        }
    }
}
