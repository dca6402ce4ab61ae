// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.virtcontainers.spi.Deadline;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/** The link of the process that launches a QEMU: two sockets that QEMU connects to, for QMP and the console. */
final class Sockets implements Link {
    private static final int CONSOLE_TAIL_BYTES = 64 << 10;

    private final TailBuffer console = new TailBuffer(CONSOLE_TAIL_BYTES);
    private final QemuEvents events = new QemuEvents();
    private final QmpClient qmp;
    private final UnixListener qmpListener;
    private final UnixListener consoleListener;

    /** Listens on both. If this throws, neither does. */
    Sockets(String sandboxId, SandboxFiles files, EventLoop loop, Deadline deadline) {
        ConsoleLog log = new ConsoleLog(sandboxId);
        this.qmp = new QmpClient(loop, events);
        this.qmpListener = UnixListener.bind(loop, files.qmpSocket(), qmp::attach, deadline);
        try {
            this.consoleListener = UnixListener.bind(
                    loop, files.consoleSocket(), channel -> ConsoleReader.attach(channel, console, log), deadline);
        } catch (RuntimeException e) {
            qmpListener.close();
            throw e;
        }
    }

    /** Completes when QEMU takes commands; fails when its connection does. */
    CompletableFuture<Void> ready() {
        return qmp.ready();
    }

    @Override
    public <T> T call(Deadline deadline, Function<QmpSession, T> action) {
        return action.apply(new QmpSession(qmp, events));
    }

    @Override
    public QemuEvents events() {
        return events;
    }

    @Override
    public String console() {
        return console.text();
    }

    @Override
    public CompletableFuture<Void> drained() {
        return CompletableFuture.allOf(qmpListener.closed(), consoleListener.closed());
    }

    @Override
    public void close() {
        qmpListener.close();
        consoleListener.close();
    }
}
