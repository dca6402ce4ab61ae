// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.spi.Deadline;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/** What this process has open of a QEMU, and what came out of it. Thread-safe. */
interface Link extends AutoCloseable {
    /**
     * Does something over QMP, on the caller's thread.
     *
     * @throws io.virtcontainers.HypervisorException if there is no connection, or it fails
     */
    <T> T call(Deadline deadline, Function<QmpSession, T> action);

    /** What QEMU told so far. */
    QemuEvents events();

    /** The tail of the guest's console, empty if another process has it. */
    String console();

    /** Completes when QEMU is gone and its last words have been read. */
    CompletableFuture<Void> drained();

    @Override
    void close();
}
