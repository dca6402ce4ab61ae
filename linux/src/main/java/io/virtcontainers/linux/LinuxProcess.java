// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;

/** A process that is watched: started by {@link Processes#start}, or any other of the host. Thread-safe. */
public final class LinuxProcess implements AutoCloseable {
    static final int NO_FD = -1;

    private final Poller poller;
    private final int pid;
    private final Optional<Command> child;
    private final OutputListener output;
    private final CompletableFuture<OptionalInt> exit = new CompletableFuture<>();

    // Written by the poller's thread under the lock of this, so that no other thread uses one that is closed.
    private int pidfd;
    private int outputFd;

    LinuxProcess(Poller poller, int pid, Optional<Command> child, int pidfd, int outputFd, OutputListener output) {
        this.poller = poller;
        this.pid = pid;
        this.child = child;
        this.pidfd = pidfd;
        this.outputFd = outputFd;
        this.output = output;
    }

    /** Starts a program; on the poller's thread, which watches it from then on. */
    static LinuxProcess spawn(Poller poller, Command command, OutputListener output) {
        int[] pipe = Descriptors.pipe();
        try {
            int pid = Spawn.start(command, pipe[1]);
            int pidfd = Children.pidfd(pid);
            return new LinuxProcess(poller, pid, Optional.of(command), pidfd, pipe[0], output);
        } catch (Throwable e) {
            Descriptors.close(pipe[0]);
            throw e;
        } finally {
            Descriptors.close(pipe[1]);
        }
    }

    /** The process that has this pid now, to be given to the poller. */
    static Optional<LinuxProcess> of(Poller poller, long pid) {
        return Descriptors.pidfd(pid)
                .map(pidfd -> new LinuxProcess(
                        poller, Math.toIntExact(pid), Optional.empty(), pidfd, NO_FD, (bytes, length) -> {}));
    }

    public long pid() {
        return pid;
    }

    /**
     * Completes when the process is dead: with its exit code, 128 + n for a death by signal n, if it is a child of this
     * process, else empty. All its output was delivered before. Runs what depends on it on the one thread of {@link
     * Processes}, which must not be blocked. Never completes after {@link #close}.
     */
    public CompletableFuture<OptionalInt> exit() {
        return exit.copy();
    }

    void ended(OptionalInt code) {
        exit.complete(code);
    }

    /**
     * Sends a signal, to this process and never to another that has its pid now (pidfd_send_signal(2)).
     *
     * @return whether it was still there; false after {@link #close}
     * @throws LinuxException if this is not allowed
     */
    public synchronized boolean signal(int number) {
        return pidfd != NO_FD && Descriptors.signal(pidfd, number);
    }

    /** Watches it no longer, closes the pipe of its output, and leaves it running. Does nothing after its end. */
    @Override
    public void close() {
        poller.forget(this);
    }

    /** Whether it must not outlive the poller. */
    boolean isBound() {
        return child.isPresent() && !child.get().detached();
    }

    boolean isChild() {
        return child.isPresent();
    }

    OutputListener output() {
        return output;
    }

    synchronized int pidfd() {
        return pidfd;
    }

    synchronized int outputFd() {
        return outputFd;
    }

    synchronized void closeOutput() {
        if (outputFd != NO_FD) {
            Descriptors.close(outputFd);
            outputFd = NO_FD;
        }
    }

    synchronized void closeDescriptors() {
        closeOutput();
        if (pidfd != NO_FD) {
            Descriptors.close(pidfd);
            pidfd = NO_FD;
        }
    }
}
