// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.ExitStatus;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Signal;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** A process inside a fake guest: a program on a thread, between three pipes. It has no thread before its start. Thread-safe. */
final class FakeProcess implements FakePipe.Gate {
    private static final int SIGNAL_BASE = 128;
    private static final int COMMAND_FAILED = 1;
    private static final int CODE_MASK = 0xff;

    // signal(7): the numbers whose default is to do nothing, and to stop.
    private static final Set<Integer> IGNORED = Set.of(17, 23, 28);
    private static final Set<Integer> STOPPING = Set.of(19, 20, 21, 22);

    private final FakeGuest guest;
    private final BooleanSupplier frozen;
    private final String id;
    private final long pid;
    private final ProcessConfig config;
    private final FakeProgram program;
    private final FakePipe stdin = new FakePipe();
    private final FakePipe stdout = new FakePipe();
    private final FakePipe stderr;
    private final CompletableFuture<ExitStatus> exit = new CompletableFuture<>();
    private final AtomicBoolean ended = new AtomicBoolean();
    private volatile boolean started;
    private volatile boolean stopped;
    private volatile @Nullable Signal pending;
    private volatile @Nullable Thread thread;

    /** @param frozen whether its container is paused */
    FakeProcess(
            FakeGuest guest, BooleanSupplier frozen, String id, long pid, ProcessConfig config, FakeProgram program) {
        this.guest = guest;
        this.frozen = frozen;
        this.id = id;
        this.pid = pid;
        this.config = config;
        this.program = program;
        this.stderr = config.terminal().isPresent() ? stdout : new FakePipe();
    }

    /** One that the guest does not know: it has no output, and its end is this error. */
    static FakeProcess unknown(FakeGuest guest, String id, NotFoundException error) {
        FakeProcess unknown =
                new FakeProcess(guest, () -> false, id, 0, ProcessConfig.of("unknown"), (arguments, in, out, err) -> 0);
        unknown.exit.completeExceptionally(error);
        unknown.end(0);
        return unknown;
    }

    synchronized void start() {
        started = true;
        Thread runner = new Thread(this::run, "fake-process-" + id);
        runner.setDaemon(true);
        thread = runner;
        if (!ended.get()) {
            runner.start();
        }
    }

    boolean isStarted() {
        return started;
    }

    private void run() {
        int code;
        try (InputStream in = stdin.reader(this);
                OutputStream out = stdout.writer(this, () -> {});
                OutputStream err = stderr.writer(this, () -> {})) {
            before();
            List<String> command = config.command();
            code = program.run(command.subList(1, command.size()), in, out, err);
            before();
        } catch (InterruptedException | InterruptedIOException killed) {
            code = SIGNAL_BASE + Signal.KILL.number();
        } catch (IOException | RuntimeException e) {
            code = COMMAND_FAILED;
        }
        if (!guest.hasEnded()) {
            end(code & CODE_MASK);
        }
    }

    /** That of a clone: it ended in the machine that was saved. */
    synchronized void startEnded(ExitStatus status) {
        started = true;
        end(status.code());
    }

    /** A program does nothing while its virtual machine, its container or itself is stopped. */
    @Override
    public void before() throws InterruptedIOException {
        guest.awaitProcessor(() -> stopped || frozen.getAsBoolean());
    }

    @Override
    public void after() throws InterruptedIOException {
        before();
    }

    private void end(int code) {
        if (!ended.compareAndSet(false, true)) {
            return;
        }
        stdin.breakOff();
        stdout.endOfFile();
        stderr.endOfFile();
        interrupt();
        exit.complete(new ExitStatus(code));
    }

    private synchronized void interrupt() {
        Thread runner = thread;
        if (runner != null && runner != Thread.currentThread()) {
            runner.interrupt();
        }
    }

    /** Its virtual machine has ended: it is gone without an end that anybody could see. */
    void vanish() {
        interrupt();
    }

    /** Its container was removed, and so what it wrote. */
    void discard() {
        signal(Signal.KILL);
        stdout.breakOff();
        stderr.breakOff();
    }

    /** Only SIGKILL reaches a process that is stopped or frozen; others wait. */
    void signal(Signal signal) {
        if (STOPPING.contains(signal.number())) {
            stopped = true;
        } else if (signal.equals(Signal.CONT)) {
            stopped = false;
            wake();
        } else if (!IGNORED.contains(signal.number())) {
            if (signal.equals(Signal.KILL) || !(stopped || frozen.getAsBoolean())) {
                end(SIGNAL_BASE + signal.number());
            } else {
                pending = signal;
            }
        }
    }

    /** Something that held it up may have ended. */
    void wake() {
        Signal waiting = pending;
        if (waiting != null) {
            pending = null;
            signal(waiting);
        }
        guest.wake();
    }

    String id() {
        return id;
    }

    long pid() {
        return pid;
    }

    ProcessConfig config() {
        return config;
    }

    FakePipe stdin() {
        return stdin;
    }

    FakePipe stdout() {
        return stdout;
    }

    FakePipe stderr() {
        return stderr;
    }

    CompletableFuture<ExitStatus> exit() {
        return exit;
    }
}
