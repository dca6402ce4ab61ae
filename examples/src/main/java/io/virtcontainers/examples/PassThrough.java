// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import io.virtcontainers.Container;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jline.utils.Signals;
import org.jspecify.annotations.Nullable;

/** Connects this program's own streams and signals to those of a process in a guest. */
final class PassThrough {
    /** What a shell reports of a program that wrote to a reader that had gone: 128 + SIGPIPE. */
    static final int SIGPIPE_CODE = 141;

    private static final int CHUNK = 1 << 18;

    private final GuestProcess process;
    private final Terminal terminal;
    private final Thread stdout;
    private final Thread stderr;
    private final Map<String, Integer> signals = new ConcurrentHashMap<>();
    private final AtomicReference<@Nullable VirtException> failure = new AtomicReference<>();
    private volatile boolean readerGone;

    PassThrough(GuestProcess process, Terminal terminal) {
        this.process = process;
        this.terminal = terminal;
        stdout = new Thread(() -> copyOut(process.stdout(), FileDescriptor.out), "stdout");
        stderr = new Thread(() -> copyOut(process.stderr(), FileDescriptor.err), "stderr");
    }

    void start() {
        stdout.start();
        stderr.start();
        Thread stdin = new Thread(this::copyIn, "stdin");
        stdin.setDaemon(true); // a read of this program's stdin cannot be ended
        stdin.start();
    }

    /** Waits until all output has been passed on; throws what kept this from passing on everything. */
    void drain() throws InterruptedException {
        stdout.join();
        stderr.join();
        VirtException failed = failure.get();
        if (failed != null) {
            throw failed;
        }
    }

    /** Whether nobody reads this program's output any more, so that the process was ended. */
    boolean readerGone() {
        return readerGone;
    }

    void forwardSignals(Container container) {
        for (String name : List.of("INT", "TERM", "HUP")) {
            Object unused = Signals.register(name, () -> forward(container, name));
        }
        Object unused =
                Signals.register("WINCH", () -> terminal.size().ifPresent(size -> quietly(() -> process.resize(size))));
    }

    /** The first time the program may react as it likes; the second time it is ended. */
    private void forward(Container container, String name) {
        Signal signal = signals.merge(name, 1, Integer::sum) == 1 ? Signal.of(name) : Signal.KILL;
        // Not on the signal thread: the call waits for the guest.
        Thread sender = new Thread(() -> quietly(() -> container.process().signal(signal)), "forward-" + name);
        sender.setDaemon(true);
        sender.start();
    }

    private static void quietly(Runnable action) {
        try {
            action.run();
        } catch (VirtException e) {
            // The process has ended, or is about to: its exit code says it.
        }
    }

    private void copyIn() {
        byte[] chunk = new byte[CHUNK];
        OutputStream out = process.stdin();
        try (InputStream in = new FileInputStream(FileDescriptor.in)) {
            int n = in.read(chunk);
            while (n >= 0) {
                try {
                    out.write(chunk, 0, n);
                    out.flush();
                } catch (IOException processReadsNoMore) {
                    return; // as in a shell's pipe: what the program does not read is not an error of ours
                }
                n = in.read(chunk);
            }
        } catch (IOException e) {
            // No end of file for the program: it would take half of its input for the whole.
            fail("cannot read standard input", e);
            return;
        }
        try {
            out.close();
        } catch (IOException ended) {
            // Nobody reads it any more.
        }
    }

    private void copyOut(InputStream in, FileDescriptor to) {
        byte[] chunk = new byte[CHUNK];
        try {
            OutputStream out = new FileOutputStream(to);
            for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                try {
                    out.write(chunk, 0, n);
                } catch (IOException gone) {
                    readerGone = true;
                    quietly(() -> process.signal(Signal.KILL));
                    return;
                }
            }
        } catch (IOException e) {
            fail("cannot read the program's output", e);
        }
    }

    /** The first failure counts; the program is ended, as its result would be worth nothing. */
    private void fail(String what, IOException e) {
        if (failure.compareAndSet(null, new VirtException(what + ": " + e.getMessage(), e))) {
            quietly(() -> process.signal(Signal.KILL));
        }
    }
}
