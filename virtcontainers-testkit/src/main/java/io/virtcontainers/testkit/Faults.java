// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.spi.Deadline;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * The script of a fake: what happens when an operation is called, named as the SPI method is. Also keeps the calls in
 * order. Thread-safe.
 */
public final class Faults {
    private final Map<String, Consumer<Deadline>> script = new ConcurrentHashMap<>();
    private final List<String> calls = new ArrayList<>();

    /** From now on the operation fails. */
    public void fail(String operation, RuntimeException error) {
        script.put(operation, deadline -> {
            throw error;
        });
    }

    /** From now on the operation does not answer: it waits until its deadline has passed or its thread is interrupted. */
    public void hang(String operation) {
        script.put(operation, deadline -> deadline.await(new CompletableFuture<>(), "the answer of " + operation));
    }

    /** From now on the operation does this first. */
    public void before(String operation, Runnable action) {
        script.put(operation, deadline -> action.run());
    }

    /** The operation behaves again. */
    public void heal(String operation) {
        script.remove(operation);
    }

    /** The operations that were called, in order. */
    public List<String> calls() {
        synchronized (calls) {
            return List.copyOf(calls);
        }
    }

    void reached(String operation, Deadline deadline) {
        synchronized (calls) {
            calls.add(operation);
        }
        Consumer<Deadline> fault = script.get(operation);
        if (fault != null) {
            fault.accept(deadline);
        }
    }
}
