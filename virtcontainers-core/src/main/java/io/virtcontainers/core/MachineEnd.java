// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;

/** The end of one virtual machine, told once: to whoever asked for it, on a thread that may be blocked. Thread-safe. */
final class MachineEnd {
    private final AtomicBoolean told = new AtomicBoolean();
    private final CompletableFuture<String> forUsers = new CompletableFuture<>();

    /** Returns whether this was the first time. */
    boolean tell(String reason) {
        boolean first = told.compareAndSet(false, true);
        if (first) {
            var unused = forUsers.completeAsync(() -> reason);
        }
        return first;
    }

    boolean isTold() {
        return told.get();
    }

    CompletableFuture<String> future() {
        return forUsers.copy();
    }
}
