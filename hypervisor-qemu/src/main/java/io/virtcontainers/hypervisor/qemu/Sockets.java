// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.netty.channel.EventLoop;
import io.virtcontainers.spi.Deadline;
import java.util.concurrent.CompletableFuture;

/** The two sockets that one QEMU connects to, QMP and the console, and what came out of them. Thread-safe. */
final class Sockets implements AutoCloseable {
    private static final int CONSOLE_TAIL_BYTES = 64 << 10;

    private final TailBuffer console = new TailBuffer(CONSOLE_TAIL_BYTES);
    private final QemuEvents events = new QemuEvents(device -> disks().deviceDeleted(device));
    private final QmpClient qmp;
    private final Disks disks;
    private final UnixListener qmpListener;
    private final UnixListener consoleListener;

    /** Listens on both. If this throws, neither does. */
    @SuppressWarnings("this-escape")
    Sockets(SandboxFiles files, EventLoop loop, Deadline deadline) {
        this.qmp = new QmpClient(loop, events);
        this.disks = new Disks(qmp);
        this.qmpListener = UnixListener.bind(loop, files.qmpSocket(), qmp::attach, deadline);
        try {
            this.consoleListener = UnixListener.bind(
                    loop, files.consoleSocket(), channel -> ConsoleReader.attach(channel, console), deadline);
        } catch (RuntimeException e) {
            qmpListener.close();
            throw e;
        }
    }

    QmpClient qmp() {
        return qmp;
    }

    Disks disks() {
        return disks;
    }

    QemuEvents events() {
        return events;
    }

    String console() {
        return console.text();
    }

    /** Completes when QEMU has closed its QMP connection, which it does at its end. */
    CompletableFuture<Void> qmpClosed() {
        return qmpListener.closed();
    }

    /** Completes when both connections have ended and all that was in them has been read. */
    CompletableFuture<Void> closed() {
        return CompletableFuture.allOf(qmpListener.closed(), consoleListener.closed());
    }

    @Override
    public void close() {
        qmpListener.close();
        consoleListener.close();
    }
}
