// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;

/**
 * Starts programs that die when this Java process dies, also by {@code kill -9}: {@code setpriv --pdeathsig KILL} asks the
 * kernel for it and then becomes the program, with the same pid. The kernel acts when the <em>thread</em> ends that
 * started the process, so all are started by one thread, which lives until {@link #close}.
 *
 * <p>A gap of a few milliseconds remains: if this process dies after the fork and before setpriv has asked, the program
 * lives on. {@code Hypervisor.reap} finds it, as its command line names the sandbox's directory from the start.
 */
final class ProcessLauncher implements AutoCloseable {
    private static final String SETPRIV_REMEDY = "QEMU is started by it so that it dies with this process: "
            + "install util-linux (\"apt install util-linux\")";

    private final EventLoop loop;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(task -> {
        Thread starter = new Thread(task, "virtcontainers-qemu-launcher");
        starter.setDaemon(true);
        return starter;
    });

    ProcessLauncher(EventLoop loop) {
        this.loop = loop;
    }

    /**
     * Starts a program. When this throws, it does not run or is killed as soon as it does.
     *
     * @param workingDirectory where it leaves a core dump, should it crash
     */
    ManagedProcess start(List<String> arguments, Path workingDirectory, Deadline deadline) {
        List<String> line = new ArrayList<>();
        line.add(Programs.require("setpriv", SETPRIV_REMEDY).toString());
        line.addAll(List.of("--pdeathsig", "KILL", "--no-new-privs", "--"));
        line.addAll(arguments);
        CompletableFuture<Process> started;
        try {
            started = CompletableFuture.supplyAsync(() -> fork(line, workingDirectory), thread);
        } catch (RejectedExecutionException e) {
            throw new HypervisorException("cannot start " + arguments.get(0) + ": the hypervisor is closed", e);
        }
        try {
            return new ManagedProcess(deadline.await(started, "the start of " + arguments.get(0)), loop);
        } catch (RuntimeException e) {
            CompletableFuture<?> unused = started.whenComplete((process, error) -> {
                if (process != null) {
                    process.destroyForcibly();
                }
            });
            throw e;
        }
    }

    private static Process fork(List<String> line, Path workingDirectory) {
        ProcessBuilder builder = new ProcessBuilder(line)
                .directory(workingDirectory.toFile())
                .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                .redirectErrorStream(true);
        Map<String, String> environment = builder.environment();
        // The rest is none of its business, and may hold secrets of the application.
        environment.keySet().retainAll(List.of("PATH", "LD_LIBRARY_PATH"));
        // Messages that we show and match must not be translated.
        environment.put("LC_ALL", "C");
        try {
            return builder.start();
        } catch (IOException e) {
            throw new HostSetupException("cannot start " + line.get(0) + ": " + e.getMessage(), e);
        }
    }

    /** Ends the starting thread, and with it every program that still runs. */
    @Override
    public void close() {
        thread.shutdown();
    }
}
