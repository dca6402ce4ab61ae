// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.VirtException;
import io.virtcontainers.linux.Command;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.VmConfig;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts one QEMU and waits until it takes QMP commands, or has ended and says why. The guest boots meanwhile. If it
 * fails, no process and no socket of it is left.
 */
final class QemuLaunch {
    private static final Logger log = LoggerFactory.getLogger(QemuLaunch.class);

    /** QEMU closes its sockets before it ends: how long to wait for the exit code, which explains it. */
    private static final Duration EXIT_AFTER_CLOSE = Duration.ofSeconds(1);

    private static final Duration KILL = Duration.ofSeconds(5);

    private final ProcessLauncher launcher;
    private final EventLoop loop;

    QemuLaunch(ProcessLauncher launcher, EventLoop loop) {
        this.launcher = launcher;
        this.loop = loop;
    }

    QemuMachine start(
            VmConfig config,
            List<String> commandLine,
            Optional<RunAs> runAs,
            AgentAccess agent,
            SandboxFiles files,
            Deadline deadline) {
        log.debug("qemu starts sandbox={} command={}", config.sandboxId(), commandLine);
        Sockets sockets = new Sockets(config.sandboxId(), files, loop, deadline);
        Optional<VirtioFsDaemon> daemon = Optional.empty();
        Optional<ManagedProcess> keeper = Optional.empty();
        try {
            runAs.ifPresent(other -> other.handOver(files));
            daemon = ShareArguments.isVirtioFs(config)
                    ? Optional.of(VirtioFsDaemon.start(
                            launcher, files, config.settings().sharedFs(), config.detached(), deadline))
                    : Optional.empty();
            keeper = ShareArguments.is9p(config.settings())
                    ? Optional.of(ShareNamespace.prepare(launcher, files, deadline))
                    : Optional.empty();
            ManagedProcess process = launcher.start(
                    commandLine, files.directory(), config.detached(), surroundings(config, runAs, keeper), deadline);
            try {
                awaitReady(process, sockets, deadline);
                keeper.ifPresent(ManagedProcess::kill);
                if (config.memoryImage() instanceof MemoryImage.Clone clone) {
                    Migration.restore(sockets, files.migrationSocket(), clone.state(), deadline);
                }
                HostProcess identity = HostProcess.find(process.pid())
                        .orElseThrow(() -> new HypervisorException(
                                "QEMU ended as soon as it had started: " + ExitReason.lastWords(process.output())));
                QemuMachine machine = new QemuMachine(
                        config.sandboxId(),
                        identity,
                        process,
                        daemon,
                        keeper.map(unused -> ShareNamespace.ofQemu(files, process.pid())),
                        sockets,
                        files,
                        config.settings(),
                        agent,
                        config.detached(),
                        loop);
                machine.startedWith(config.disks());
                return machine;
            } catch (VirtException e) {
                Diagnostics diagnostics = new Diagnostics(
                        "",
                        sockets.console(),
                        process.output(),
                        agent.before(sockets.events().last()));
                if (!process.killAndWait(KILL)) {
                    log.error("qemu survived SIGKILL sandbox={} pid={}", config.sandboxId(), process.pid());
                }
                throw e.withDiagnostics(diagnostics);
            }
        } catch (RuntimeException e) {
            daemon.ifPresent(VirtioFsDaemon::kill);
            keeper.ifPresent(ManagedProcess::kill);
            sockets.close();
            throw e;
        }
    }

    private static ProcessLauncher.Surroundings surroundings(
            VmConfig config, Optional<RunAs> runAs, Optional<ManagedProcess> mountNamespace) {
        List<Command.OpenFile> files = new ArrayList<>(NetworkArguments.files(config));
        runAs.ifPresent(other -> other.files().forEach(file -> files.add(new Command.OpenFile(file, false))));
        List<String> namespaces = new ArrayList<>();
        config.networkNamespace().ifPresent(namespace -> namespaces.add("--net=" + namespace));
        mountNamespace.ifPresent(process -> namespaces.add(ShareNamespace.entry(process.pid())));
        return new ProcessLauncher.Surroundings(runAs.map(RunAs::privileges).orElse(List.of()), files, namespaces);
    }

    private static void awaitReady(ManagedProcess process, Sockets sockets, Deadline deadline) {
        CompletableFuture<Void> ready = sockets.ready();
        // Whichever comes first; which one it was is asked below.
        CompletableFuture<Void> decided = new CompletableFuture<>();
        var unusedReady = ready.whenComplete((nothing, error) -> decided.complete(null));
        var unused = process.exit().thenAccept(code -> decided.complete(null));
        deadline.await(decided, "QEMU's greeting on its QMP socket");
        if (ready.isDone() && !ready.isCompletedExceptionally()) {
            return;
        }
        int exitCode;
        try {
            exitCode = deadline.atMost(EXIT_AFTER_CLOSE)
                    .await(process.exit(), "the end of QEMU")
                    .orElse(0);
        } catch (DeadlineExceededException stillRuns) {
            deadline.await(ready, "QEMU's greeting on its QMP socket");
            throw stillRuns;
        }
        throw new HypervisorException("QEMU did not start, it "
                + (exitCode > 128 ? "was killed by signal " + (exitCode - 128) : "exited with code " + exitCode) + ": "
                + ExitReason.lastWords(process.output()));
    }
}
