// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.ExitStatus;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.VirtException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.jline.utils.Signals;

/**
 * Makes this process stand for one in a guest: passes on the standard streams and the signals that it gets, and tells how
 * the other ended. What nobody reads any more is thrown away, so that the process in the guest is not held up.
 */
final class Relay {
    /** What is told of a process whose machine ended first: how it ended is not known. */
    static final int UNKNOWN = 255;

    private static final int CHUNK = 1 << 16;

    /** A child that the process has left behind may hold its streams for ever: silence of this length is the end. */
    private static final int SILENCE_MILLIS = 1000;

    /** A process as far as it is passed on; the words are those of {@link GuestProcess}. */
    interface Subject {
        OutputStream stdin();

        InputStream stdout();

        InputStream stderr();

        CompletableFuture<ExitStatus> onExit();

        void signal(Signal signal);

        void resize(TerminalSize size);

        static Subject of(GuestProcess process) {
            return new Subject() {
                @Override
                public OutputStream stdin() {
                    return process.stdin();
                }

                @Override
                public InputStream stdout() {
                    return process.stdout();
                }

                @Override
                public InputStream stderr() {
                    return process.stderr();
                }

                @Override
                public CompletableFuture<ExitStatus> onExit() {
                    return process.onExit();
                }

                @Override
                public void signal(Signal signal) {
                    process.signal(signal);
                }

                @Override
                public void resize(TerminalSize size) {
                    process.resize(size);
                }
            };
        }
    }

    private final Subject process;
    private final boolean terminal;
    private final Output stdout;
    private final Output stderr;

    Relay(Subject process, boolean terminal) {
        this.process = process;
        this.terminal = terminal;
        stdout = new Output("stdout", process.stdout(), FileDescriptor.out);
        stderr = new Output("stderr", process.stderr(), FileDescriptor.err);
    }

    void start() {
        for (String name : List.of("HUP", "INT", "TERM", "USR2", "CONT")) {
            Object unused = Signals.register(name, () -> later(() -> process.signal(Signal.of(name))));
        }
        if (terminal) {
            Object unused = Signals.register("WINCH", () -> later(this::resize));
            later(this::resize); // for what was said before that
        }
        stdout.start();
        if (!terminal) {
            stderr.start();
        }
        Thread stdin = new Thread(this::copyIn, "stdin");
        stdin.setDaemon(true); // a read of this process's stdin cannot be ended
        stdin.start();
    }

    /** Waits for the end, for all output, and returns the exit code. */
    int await() throws IOException {
        try {
            int code = exitCode();
            stdout.drain();
            stderr.drain();
            return code;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private int exitCode() throws InterruptedException {
        try {
            return process.onExit().get().code();
        } catch (ExecutionException machineEnded) {
            return UNKNOWN;
        }
    }

    private void resize() {
        Console.size().ifPresent(process::resize);
    }

    /** Not on the thread that delivers signals: it waits for the guest. */
    private static void later(Runnable action) {
        Thread thread = new Thread(
                () -> {
                    try {
                        action.run();
                    } catch (VirtException e) {
                        return; // the process has ended, or is not there yet: nobody waits for this
                    }
                },
                "signal");
        thread.setDaemon(true);
        thread.start();
    }

    private void copyIn() {
        byte[] chunk = new byte[CHUNK];
        try (InputStream in = new FileInputStream(FileDescriptor.in);
                OutputStream out = process.stdin()) {
            for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                out.write(chunk, 0, n);
                out.flush();
            }
        } catch (IOException e) {
            return; // the process has ended or reads no more, or the terminal is gone
        }
    }

    /** One stream of output. */
    private static final class Output extends Thread {
        private final InputStream in;
        private final FileDescriptor to;
        private volatile long passedOn;
        private volatile boolean writing;

        Output(String name, InputStream in, FileDescriptor to) {
            super(name);
            setDaemon(true);
            this.in = in;
            this.to = to;
        }

        @Override
        public void run() {
            byte[] chunk = new byte[CHUNK];
            boolean read = true;
            long total = 0;
            try {
                @SuppressWarnings("resource") // its end is the end of this process
                OutputStream out = new FileOutputStream(to);
                for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                    if (read) {
                        writing = true;
                        read = write(out, chunk, n);
                        writing = false;
                    }
                    total += n;
                    passedOn = total;
                }
            } catch (IOException machineEnded) {
                return;
            }
        }

        /** @return whether somebody reads it */
        private static boolean write(OutputStream out, byte[] chunk, int n) {
            try {
                out.write(chunk, 0, n);
                return true;
            } catch (IOException gone) {
                return false;
            }
        }

        /** Waits for its end, or, once the process has ended, for a silence. */
        void drain() throws InterruptedException {
            long before = -1;
            while (isAlive() && (writing || passedOn != before)) {
                before = passedOn;
                join(SILENCE_MILLIS);
            }
        }
    }
}
