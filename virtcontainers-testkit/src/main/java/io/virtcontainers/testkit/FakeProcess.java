// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.AgentException;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.VirtException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** A process of the fake agent: a thread between three pipes. Thread-safe. */
final class FakeProcess implements GuestProcess {
    private static final int PIPE = 1 << 16;
    private static final int SIGNAL_BASE = 128;

    private final String id;
    private final ProcessConfig config;
    private final FakeProgram program;
    private final PipedOutputStream stdin = new PipedOutputStream();
    private final PipedInputStream stdinEnd = new PipedInputStream(PIPE);
    private final PipedInputStream stdout = new PipedInputStream(PIPE);
    private final PipedOutputStream stdoutEnd = new PipedOutputStream();
    private final PipedInputStream stderr = new PipedInputStream(PIPE);
    private final PipedOutputStream stderrEnd = new PipedOutputStream();
    private final CompletableFuture<ExitStatus> exit = new CompletableFuture<>();
    private final Thread thread;

    FakeProcess(String id, ProcessConfig config, FakeProgram program) {
        this.id = id;
        this.config = config;
        this.program = program;
        this.thread = new Thread(this::run, "fake-process-" + id);
        thread.setDaemon(true);
        try {
            stdin.connect(stdinEnd);
            stdoutEnd.connect(stdout);
            stderrEnd.connect(stderr);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void start() {
        thread.start();
    }

    private void run() {
        int code;
        try (stdinEnd;
                stdoutEnd;
                stderrEnd) {
            code = program.run(config.command().subList(1, config.command().size()), stdinEnd, stdoutEnd, stderrEnd);
        } catch (InterruptedException | InterruptedIOException killed) {
            code = SIGNAL_BASE + Signal.KILL.number();
        } catch (IOException e) {
            code = 1;
        }
        exit.complete(new ExitStatus(code));
    }

    void abort(VirtException reason) {
        exit.completeExceptionally(reason);
        thread.interrupt();
    }

    @Override
    public String id() {
        return id;
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
        return exit.copy();
    }

    @Override
    public boolean isAlive() {
        return !exit.isDone();
    }

    @Override
    public ExitStatus waitFor(Duration timeout) {
        return Deadline.after(timeout).await(exit, "the end of process " + id);
    }

    @Override
    public void signal(Signal signal) {
        if (exit.complete(new ExitStatus(SIGNAL_BASE + signal.number()))) {
            thread.interrupt();
        }
    }

    @Override
    public void resize(TerminalSize size) {
        if (config.terminal().isEmpty()) {
            throw new AgentException("process " + id + " has no terminal");
        }
    }
}
