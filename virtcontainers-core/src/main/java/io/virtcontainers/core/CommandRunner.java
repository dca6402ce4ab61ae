// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.CommandResult;
import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;

/** The short form: one command in a sandbox of its own. */
final class CommandRunner {
    private static final int MAX_OUTPUT = 64 << 20;
    private static final int CHUNK = 1 << 16;

    private CommandRunner() {}

    static CommandResult run(VirtContainers vc, RootFs rootfs, ProcessConfig process, Duration timeout) {
        RootFs image = vc.prepare(rootfs);
        String id = "run-" + UUID.randomUUID();
        try (Sandbox sandbox = vc.run(SandboxConfig.builder(id).build())) {
            Container container = sandbox.createContainer(ContainerConfig.builder("command")
                    .rootfs(image)
                    .process(process)
                    .build());
            Deadline deadline = Deadline.after(timeout);
            GuestProcess init = container.process();
            container.start();
            close(init);
            CompletableFuture<byte[]> stdout = collect("standard output", init.stdout());
            CompletableFuture<byte[]> stderr = collect("standard error", init.stderr());
            // A reader that gave up (too much output) must end the wait, as the process then waits for its reader.
            CompletableFuture<ExitStatus> exit = new CompletableFuture<>();
            forward(init.onExit(), exit);
            failWith(stdout, exit);
            failWith(stderr, exit);
            ExitStatus status = deadline.await(exit, "the end of the command " + process.command());
            byte[] out = deadline.await(stdout, "the end of the standard output of " + process.command());
            byte[] err = deadline.await(stderr, "the end of the standard error of " + process.command());
            return new CommandResult(status, out, err, sandbox.timeline());
        }
    }

    private static void close(GuestProcess process) {
        try {
            process.stdin().close();
        } catch (IOException e) {
            throw new VirtException("cannot close the standard input of the command: " + e, e);
        }
    }

    private static <T> void forward(CompletableFuture<T> from, CompletableFuture<T> to) {
        var unused = from.whenComplete((value, error) -> {
            if (error != null) {
                to.completeExceptionally(error);
            } else {
                to.complete(value);
            }
        });
    }

    private static void failWith(CompletableFuture<?> from, CompletableFuture<?> to) {
        var unused = from.whenComplete((value, error) -> {
            if (error != null) {
                to.completeExceptionally(error);
            }
        });
    }

    /** Reads in a thread of its own, which ends with the stream: at the latest when the sandbox is closed. */
    private static CompletableFuture<byte[]> collect(String name, InputStream in) {
        CompletableFuture<byte[]> all = new CompletableFuture<>();
        Thread reader = new Thread(
                () -> {
                    try (in) {
                        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                        byte[] chunk = new byte[CHUNK];
                        for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                            if (bytes.size() + n > MAX_OUTPUT) {
                                throw new VirtException("the command's " + name + " is more than " + (MAX_OUTPUT >> 20)
                                        + " MiB: use a sandbox and read its streams");
                            }
                            bytes.write(chunk, 0, n);
                        }
                        all.complete(bytes.toByteArray());
                    } catch (IOException e) {
                        all.completeExceptionally(
                                e.getCause() instanceof VirtException cause
                                        ? cause
                                        : new VirtException("cannot read the command's " + name + ": " + e, e));
                    } catch (RuntimeException e) {
                        all.completeExceptionally(e);
                    }
                },
                "virtcontainers-" + name.replace(' ', '-'));
        reader.setDaemon(true);
        reader.start();
        return all;
    }
}
