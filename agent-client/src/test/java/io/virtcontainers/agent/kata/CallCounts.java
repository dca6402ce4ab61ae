// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** Counts the calls that reach a server, on its transport: also those whose cancellation overtakes their handler. */
final class CallCounts extends ServerStreamTracer.Factory {
    private final Map<String, AtomicInteger> all = new ConcurrentHashMap<>();
    private final Map<String, AtomicInteger> open = new ConcurrentHashMap<>();

    /** How many calls of a method there were. */
    int all(String method) {
        return count(all, method).get();
    }

    /** How many of them have neither been answered nor cancelled. */
    int open(String method) {
        return count(open, method).get();
    }

    private static AtomicInteger count(Map<String, AtomicInteger> counts, String method) {
        return counts.computeIfAbsent(method, unused -> new AtomicInteger());
    }

    @Override
    public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
        count(all, method).incrementAndGet();
        count(open, method).incrementAndGet();
        return new ServerStreamTracer() {
            @Override
            public void streamClosed(Status status) {
                count(open, method).decrementAndGet();
            }
        };
    }
}
