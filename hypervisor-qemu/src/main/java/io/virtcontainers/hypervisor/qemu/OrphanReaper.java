// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.CancelledException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
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
 * Ends QEMUs that an owner left behind. A process belongs to a sandbox directory if it is ours by user and its command
 * line says {@code -pidfile <directory>/qemu.pid}; that holds from its first moment, before QEMU writes the file, and
 * the file's number alone proves nothing. Signals go to a pid together with its start time, so never to a successor.
 */
final class OrphanReaper {
    private static final Logger log = LoggerFactory.getLogger(OrphanReaper.class);
    private static final int MAX_COMMAND_LINE = 256 << 10;
    private static final Duration TERMINATE = Duration.ofSeconds(1);
    private static final Duration POLL = Duration.ofMillis(5);
    private static final Path PROC = Path.of("/proc");

    private OrphanReaper() {}

    static void reap(Path sandboxDirectory, Deadline deadline) {
        Path pidFile = new SandboxFiles(sandboxDirectory).pidFile();
        for (ProcessHandle process : find(pidFile)) {
            log.info("ending an orphaned qemu pid={} directory={}", process.pid(), sandboxDirectory);
            process.destroy();
            if (!awaitEnd(
                    process,
                    pidFile,
                    deadline.atMost(TERMINATE).atMost(deadline.remaining().dividedBy(2)))) {
                process.destroyForcibly();
                if (!awaitEnd(process, pidFile, deadline)) {
                    throw new HypervisorException("cannot end the orphaned QEMU with pid " + process.pid() + " of "
                            + sandboxDirectory + " within the deadline; end it by hand");
                }
            }
        }
    }

    private static List<ProcessHandle> find(Path pidFile) {
        List<ProcessHandle> found = new ArrayList<>();
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            UserPrincipal user = Files.getOwner(PROC.resolve("self"));
            for (Path directory : processes) {
                // The handle first: it notes the start time, so what is found out next is about this process or about
                // one that cannot be signalled by it.
                Optional<ProcessHandle> handle =
                        ProcessHandle.of(Long.parseLong(directory.getFileName().toString()));
                if (handle.isPresent() && isOwner(user, directory) && names(directory, pidFile)) {
                    found.add(handle.get());
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            throw new HypervisorException("cannot list the processes in " + PROC + ": " + e, e);
        }
        return found;
    }

    private static boolean isOwner(UserPrincipal user, Path directory) {
        try {
            return Files.getOwner(directory).equals(user);
        } catch (IOException e) {
            return false;
        }
    }

    /** Whether the process has the command line of this sandbox; a dead one that is not yet reaped has none. */
    private static boolean names(Path directory, Path pidFile) {
        try (InputStream file = Files.newInputStream(directory.resolve("cmdline"))) {
            String text = new String(file.readNBytes(MAX_COMMAND_LINE), StandardCharsets.UTF_8);
            List<String> arguments = List.of(text.split("\0", -1));
            int at = arguments.indexOf("-pidfile");
            return at > 0 && at + 1 < arguments.size() && arguments.get(at + 1).equals(pidFile.toString());
        } catch (IOException e) {
            return false;
        }
    }

    /** Polls, as Linux tells the end of a process only to its parent. */
    private static boolean awaitEnd(ProcessHandle process, Path pidFile, Deadline deadline) {
        while (process.isAlive() && names(PROC.resolve(Long.toString(process.pid())), pidFile)) {
            if (deadline.isExpired()) {
                return false;
            }
            try {
                Thread.sleep(POLL.toMillis());
            } catch (InterruptedException e) {
                process.destroyForcibly();
                Thread.currentThread().interrupt();
                throw new CancelledException("interrupted while ending the orphaned QEMU " + process.pid());
            }
        }
        return true;
    }
}
