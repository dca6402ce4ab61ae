// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.VirtException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** A process whose guest is gone: only how it ended can still be known. */
final class EndedProcess implements GuestProcess {
    private final String id;
    private final CompletableFuture<ExitStatus> exit;

    EndedProcess(String container, String id, Optional<ExitStatus> known) {
        this.id = id;
        this.exit = known.map(CompletableFuture::completedFuture)
                .orElseGet(() -> CompletableFuture.failedFuture(new VmDiedException("process " + id + " of container "
                        + container + " ended with its virtual machine: how is unknown")));
    }

    @Override
    public String id() {
        return id;
    }

    /** Refuses every byte, as a pipe without a reader does. */
    @Override
    public OutputStream stdin() {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("process " + id + " has ended");
            }
        };
    }

    @Override
    public InputStream stdout() {
        return InputStream.nullInputStream();
    }

    @Override
    public InputStream stderr() {
        return InputStream.nullInputStream();
    }

    @Override
    public CompletableFuture<ExitStatus> onExit() {
        return exit.copy();
    }

    @Override
    public boolean isAlive() {
        return false;
    }

    @Override
    public ExitStatus waitFor(Duration timeout) {
        return Deadline.after(timeout).await(exit, "the end of process " + id);
    }

    @Override
    public void signal(Signal signal) {
        // As for every process that has ended.
    }

    @Override
    public void resize(TerminalSize size) {
        throw new VirtException("process " + id + " has ended: its terminal cannot be resized");
    }
}
