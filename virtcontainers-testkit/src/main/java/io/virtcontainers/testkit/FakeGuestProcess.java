// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.AgentException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/** A process as one connection sees it: ends with the connection, while the process goes on. Thread-safe. */
final class FakeGuestProcess implements GuestProcess, FakePipe.Gate {
    private static final Duration CALL = Duration.ofSeconds(60);

    private final FakeAgent agent;
    private final FakeProcess process;
    private final boolean terminal;
    private final CompletableFuture<ExitStatus> ended = new CompletableFuture<>();
    private final CompletableFuture<ExitStatus> forUsers = new CompletableFuture<>();

    FakeGuestProcess(FakeAgent agent, FakeProcess process, boolean terminal) {
        this.agent = agent;
        this.process = process;
        this.terminal = terminal;
        copy(ended, forUsers, FakeAgents.CALLBACKS);
        copy(process.exit(), ended, Runnable::run);
    }

    private static void copy(CompletableFuture<ExitStatus> from, CompletableFuture<ExitStatus> to, Executor executor) {
        var unused = from.whenCompleteAsync(
                (exit, error) -> {
                    if (error == null) {
                        to.complete(exit);
                    } else {
                        to.completeExceptionally(error);
                    }
                },
                executor);
    }

    /** The connection was dropped. */
    void fail(VirtException reason) {
        ended.completeExceptionally(reason);
        process.stdin().wake();
        process.stdout().wake();
        process.stderr().wake();
    }

    @Override
    public void before() throws IOException {
        try {
            agent.awaitAnswer(Deadline.after(Duration.ofDays(1)), "a stream of process " + id());
        } catch (CancelledException e) {
            throw (IOException) new InterruptedIOException(e.getMessage()).initCause(e);
        } catch (VirtException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    @Override
    public void check() throws IOException {
        try {
            agent.requireConnected();
        } catch (VirtException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    @Override
    public String id() {
        return process.id();
    }

    @Override
    public OutputStream stdin() {
        return process.stdin().writer(this, terminal ? () -> {} : process.stdin()::endOfFile);
    }

    @Override
    public InputStream stdout() {
        return process.stdout().reader(this);
    }

    @Override
    public InputStream stderr() {
        return terminal ? InputStream.nullInputStream() : process.stderr().reader(this);
    }

    @Override
    public CompletableFuture<ExitStatus> onExit() {
        return (ended.isDone() ? ended : forUsers).copy();
    }

    @Override
    public boolean isAlive() {
        return !ended.isDone();
    }

    @Override
    public ExitStatus waitFor(Duration timeout) {
        return Deadline.after(timeout).await(ended, "the end of process " + id());
    }

    @Override
    public void signal(Signal signal) {
        if (ended.isDone() && !ended.isCompletedExceptionally()) {
            return;
        }
        agent.run("signal", Deadline.after(CALL), () -> process.signal(signal));
    }

    @Override
    public void resize(TerminalSize size) {
        agent.run("resize", Deadline.after(CALL), () -> {
            if (process.config().terminal().isEmpty()) {
                throw new AgentException("process " + id() + " has no terminal");
            }
        });
    }
}
