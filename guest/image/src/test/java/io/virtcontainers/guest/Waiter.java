// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs something in a thread of its own, so that a test can interrupt it and see how it ends. */
final class Waiter {
    private final CompletableFuture<Void> end = new CompletableFuture<>();
    private final Thread thread;

    Waiter(Runnable work) {
        thread = new Thread(() -> {
            try {
                work.run();
                end.complete(null);
            } catch (Throwable e) {
                end.completeExceptionally(e);
            }
        });
        thread.start();
    }

    Thread thread() {
        return thread;
    }

    /** How it failed. */
    Throwable failure() {
        try {
            end.get(Duration.ofSeconds(30).toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            return e.getCause();
        } catch (InterruptedException | TimeoutException e) {
            throw new AssertionError("it did not end", e);
        }
        throw new AssertionError("it did not fail");
    }
}
