// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.CancelledException;
import io.virtcontainers.spi.Deadline;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * The script of a fake: what happens when an operation is called, named as the SPI method is. Operations are those that
 * act or ask; plain getters are none. Also keeps the calls in order. Thread-safe.
 */
public final class Faults {
    private final Map<String, Fault> before = new ConcurrentHashMap<>();
    private final Map<String, Runnable> after = new ConcurrentHashMap<>();
    private final Map<String, CompletableFuture<Void>> awaited = new ConcurrentHashMap<>();
    private final List<String> calls = new ArrayList<>();

    private interface Fault {
        /** @param cut completes, in whatever way, when nobody can answer any more */
        void happen(Deadline deadline, CompletableFuture<?> cut);
    }

    /** From now on the operation fails, and does nothing. */
    public void fail(String operation, RuntimeException error) {
        before.put(operation, (deadline, cut) -> {
            throw error;
        });
    }

    /**
     * From now on the operation does not answer: it waits until its deadline has passed, its thread is interrupted, or its
     * machine has ended or its agent's connection was aborted.
     */
    public void hang(String operation) {
        before.put(operation, (deadline, cut) -> {
            Object unused = deadline.await(cut, "the answer of " + operation);
        });
    }

    /** From now on the operation does this first. An agent's runs it on a thread of its own, which an abort leaves. */
    public void before(String operation, Runnable action) {
        before.put(operation, (deadline, cut) -> action.run());
    }

    /** From now on the operation does this when it was carried out, before anybody learns of it. */
    public void after(String operation, Runnable action) {
        after.put(operation, action);
    }

    /** The operation behaves again. */
    public void heal(String operation) {
        before.remove(operation);
        after.remove(operation);
    }

    /** Completes when the operation is called the next time, before it does anything. */
    public CompletableFuture<Void> reached(String operation) {
        return awaited.computeIfAbsent(operation, name -> new CompletableFuture<>());
    }

    /** The operations that were called, in order. */
    public List<String> calls() {
        synchronized (calls) {
            return List.copyOf(calls);
        }
    }

    boolean isScripted(String operation) {
        return before.containsKey(operation) || after.containsKey(operation);
    }

    /** As {@link #run}, for an operation that an interrupt and a deadline stop before it begins. */
    <T> T runBounded(String operation, Deadline deadline, CompletableFuture<?> cut, Supplier<T> act) {
        return run(operation, deadline, cut, () -> {
            if (Thread.currentThread().isInterrupted()) {
                throw new CancelledException("interrupted before " + operation);
            }
            if (deadline.isExpired()) {
                throw deadline.exceeded(operation);
            }
            return act.get();
        });
    }

    /** Carries out an operation as the script says. */
    <T> T run(String operation, Deadline deadline, CompletableFuture<?> cut, Supplier<T> act) {
        synchronized (calls) {
            calls.add(operation);
        }
        Fault fault = before.get(operation); // before whoever waits can heal it
        CompletableFuture<Void> waiter = awaited.remove(operation);
        if (waiter != null) {
            waiter.complete(null);
        }
        if (fault != null) {
            fault.happen(deadline, cut);
        }
        T result = act.get();
        Runnable then = after.get(operation);
        if (then != null) {
            then.run();
        }
        return result;
    }

    /** As the other one, for an operation without a result. */
    void run(String operation, Deadline deadline, CompletableFuture<?> cut, Runnable act) {
        boolean unused = run(operation, deadline, cut, () -> {
            act.run();
            return true;
        });
    }

    /** As the other one, for an operation that waits for nobody. */
    void run(String operation, Runnable act) {
        run(operation, Deadline.after(java.time.Duration.ZERO), CompletableFuture.completedFuture(""), act);
    }
}
