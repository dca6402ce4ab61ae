// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/**
 * A process in a container, used as {@link Process} is: a container's init process or one started by
 * {@link Container#exec}. Thread-safe; each stream is for one thread at a time.
 *
 * <p>The streams end with the end of the process (and of its children that hold them), or with an
 * {@link java.io.IOException} if the virtual machine dies. Reading one stream never blocks another. What is not read
 * stays in a pipe of the guest, which is bounded: a process whose output nobody reads waits.
 */
public interface GuestProcess {
    /** Unique in its container; the container's id for the init process. */
    String id();

    /** Writes to the standard input; closing it is the end of file, except with a terminal, where it does nothing. */
    OutputStream stdin();

    /** Reads the standard output, or everything if there is a terminal. */
    InputStream stdout();

    /** Reads the standard error; empty if there is a terminal. */
    InputStream stderr();

    /**
     * Completes when the process has ended, exceptionally with a {@link VmDiedException} when its virtual machine died or
     * was stopped first. Completes on a thread of the library: use the {@code Async} forms for work that blocks.
     */
    CompletableFuture<ExitStatus> onExit();

    /** Whether the end of the process is not known yet; false for certain once {@link #waitFor} has returned. */
    boolean isAlive();

    /**
     * Waits for the end of the process.
     *
     * @throws DeadlineExceededException if it still runs after {@code timeout}
     * @throws VmDiedException if the virtual machine died or was stopped first
     */
    ExitStatus waitFor(Duration timeout);

    /** Sends a signal to this process alone; does nothing if it has ended. */
    void signal(Signal signal);

    /**
     * Changes the size of the terminal.
     *
     * @throws AgentException if the process has none
     */
    void resize(TerminalSize size);
}
