// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.spi.Deadline;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/** A process in the guest. Its streams share nothing, so none can hold up another. Thread-safe. */
final class KataGuestProcess implements GuestProcess {
    private final ProcessCalls calls;
    private final ProcessExit exit;
    private final OutputStream stdin;
    private final InputStream stdout;
    private final InputStream stderr;

    KataGuestProcess(ProcessCalls calls, boolean terminal, Executor callbacks) {
        this.calls = calls;
        this.exit = new ProcessExit(calls, callbacks);
        this.stdin = new ProcessInput(calls, terminal);
        this.stdout = new ProcessOutput(calls, AgentServiceGrpc.getReadStdoutMethod());
        this.stderr = terminal
                ? InputStream.nullInputStream()
                : new ProcessOutput(calls, AgentServiceGrpc.getReadStderrMethod());
    }

    @Override
    public String id() {
        return calls.execId();
    }

    @Override
    public OutputStream stdin() {
        return stdin;
    }

    @Override
    public InputStream stdout() {
        return stdout;
    }

    @Override
    public InputStream stderr() {
        return stderr;
    }

    @Override
    public CompletableFuture<ExitStatus> onExit() {
        return exit.onExit();
    }

    @Override
    public boolean isAlive() {
        return !exit.ended().isDone();
    }

    @Override
    public ExitStatus waitFor(Duration timeout) {
        String end = "the end of process " + calls.execId() + " of container " + calls.containerId();
        return Deadline.after(timeout).await(exit.ended(), end);
    }

    @Override
    public void signal(Signal signal) {
        CompletableFuture<ExitStatus> ended = exit.ended();
        if (ended.isDone() && !ended.isCompletedExceptionally()) {
            return;
        }
        try {
            calls.signal(signal);
        } catch (NotFoundException e) {
            // It has ended, and its end is on the way to us.
        }
    }

    @Override
    public void resize(TerminalSize size) {
        calls.resize(size);
    }

    @Override
    public String toString() {
        return Rpc.process(calls.containerId(), calls.execId());
    }
}
