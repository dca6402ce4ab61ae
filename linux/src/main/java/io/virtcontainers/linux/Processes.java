// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts and watches processes, any number with one daemon thread, which begins with the first. That thread starts them
 * all and lives until {@link #close}, so a program that asks for a signal when its parent dies (PR_SET_PDEATHSIG, which
 * means the parent's <em>thread</em>) gets it at the end of this Java process, however that ends. Thread-safe.
 */
public final class Processes implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Processes.class);

    private final Poller poller;

    public Processes(String threadName) {
        this.poller = new Poller(threadName);
    }

    /** Loads the native part in a thread of its own, so that the first use need not wait for it. */
    public static void warmUp() {
        Thread thread = new Thread(Processes::load, "virtcontainers-linux-warm-up");
        thread.setDaemon(true);
        thread.start();
    }

    private static void load() {
        try {
            Descriptors.requireUsable();
        } catch (LinuxException e) {
            log.debug("native calls are not usable, the first use will say so error={}", e.getMessage());
        }
    }

    /**
     * Starts a program, on the one thread. The future fails with a {@link LinuxException} if it cannot be started.
     *
     * @throws LinuxException if this is closed, or the host lacks a system call
     */
    public CompletableFuture<LinuxProcess> start(Command command, OutputListener output) {
        return poller.spawn(command, output);
    }

    /**
     * Watches a process of the host; empty if there is none with this pid. Whether it is the one that is meant, and not a
     * successor with its pid, must be asked after this: what is found out then holds for what this returns.
     *
     * @throws LinuxException if this is closed, or the host lacks a system call
     */
    public Optional<LinuxProcess> watch(long pid) {
        poller.start();
        Optional<LinuxProcess> process = LinuxProcess.of(poller, pid);
        process.ifPresent(poller::watch);
        return process;
    }

    /** Kills the children that are not detached, waits for their death, and ends the thread. */
    @Override
    public void close() {
        poller.close();
    }
}
