// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;

/** What QEMU told by events: the last 32 as text, why it shut down, and devices that are gone. Thread-safe. */
final class QemuEvents implements Consumer<JsonNode> {
    private static final int KEPT = 32;

    private final Deque<String> last = new ArrayDeque<>();
    private final Consumer<String> deviceDeleted;
    private String shutdownReason = "";
    private boolean panicked;

    /** @param deviceDeleted gets the id of each device that is gone, on the event loop */
    QemuEvents(Consumer<String> deviceDeleted) {
        this.deviceDeleted = deviceDeleted;
    }

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
            deviceDeleted.accept(data.path("device").asText());
        }
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
}
