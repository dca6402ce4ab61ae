// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** What QEMU told by events: the last 32 as text, why it shut down, and devices that are gone. Thread-safe. */
final class QemuEvents implements Consumer<JsonNode> {
    private static final int KEPT = 32;

    private final Deque<String> last = new ArrayDeque<>();
    private final List<Deletion> awaited = new ArrayList<>();
    private String shutdownReason = "";
    private boolean panicked;

    @Override
    public void accept(JsonNode event) {
        JsonNode data = event.path("data");
        synchronized (this) {
            if (last.size() == KEPT) {
                last.removeFirst();
            }
            last.addLast(QmpClient.shown(event));
            switch (event.path("event").asText()) {
                case "SHUTDOWN" -> shutdownReason = data.path("reason").asText("unknown");
                case "GUEST_PANICKED" -> panicked = true;
                default -> {}
            }
        }
        // Without `device` it tells of a part of a device (its virtio bus).
        if (event.path("event").asText().equals("DEVICE_DELETED") && data.has("device")) {
            deleted(data.path("device").asText());
        }
    }

    private void deleted(String device) {
        List<Deletion> met;
        synchronized (this) {
            met = awaited.stream().filter(d -> d.device().test(device)).toList();
            awaited.removeAll(met);
        }
        met.forEach(deletion -> deletion.done().complete(null));
    }

    /**
     * Completes on the event loop when QEMU tells, from now on, that a device is gone: because somebody asked for it, or
     * because the guest threw it out. Cancel it when nobody waits for it any more.
     */
    synchronized CompletableFuture<Void> deviceDeleted(Predicate<String> device) {
        awaited.removeIf(deletion -> deletion.done().isDone());
        CompletableFuture<Void> done = new CompletableFuture<>();
        awaited.add(new Deletion(device, done));
        return done;
    }

    synchronized List<String> last() {
        return List.copyOf(last);
    }

    /** QEMU's {@code ShutdownCause}, for example {@code guest-reset}; empty if it told none. */
    synchronized String shutdownReason() {
        return shutdownReason;
    }

    synchronized boolean panicked() {
        return panicked;
    }

    private record Deletion(Predicate<String> device, CompletableFuture<Void> done) {}
}
