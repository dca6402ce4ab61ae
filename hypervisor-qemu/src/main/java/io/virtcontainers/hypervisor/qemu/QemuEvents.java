// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.VmEvent;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What QEMU told by events: the last 32 as text, why it shut down, and devices that are gone; and who is told the rest of
 * it. Thread-safe.
 */
final class QemuEvents implements Consumer<JsonNode> {
    private static final int KEPT = 32;
    private static final int OST_DEVICE_CHECK = 1;
    private static final Pattern PROCESSOR = Pattern.compile("/machine/peripheral/([^/]+)/lapic");

    /** A guest can repeat a failing access as fast as it likes. */
    private static final Duration BETWEEN_DISK_ERRORS = Duration.ofSeconds(1);

    private static final int MAX_DISKS = 256;

    private final Map<String, Long> diskErrors = new HashMap<>();
    private Consumer<VmEvent> listener = event -> {};
    private final Deque<String> last = new ArrayDeque<>();
    private final List<Awaited> awaited = new ArrayList<>();
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
        if (event.path("event").asText().equals("DEVICE_DELETED")) {
            // Without `device` it tells of a part of a device (its virtio bus). Of a processor it tells nothing else.
            Matcher processor = PROCESSOR.matcher(data.path("path").asText());
            if (data.has("device")) {
                deleted(data.path("device").asText());
            } else if (processor.matches()) {
                deleted(processor.group(1));
            }
        }
        if (event.path("event").asText().equals("DEVICE_UNPLUG_GUEST_ERROR")) {
            refused(data.path("device").asText());
        }
        if (event.path("event").asText().equals("MEMORY_DEVICE_SIZE_CHANGE")) {
            take(Awaited.Kind.SIZE, data.path("id").asText())
                    .forEach(awaited -> awaited.done().complete(null));
        }
        if (event.path("event").asText().equals("ACPI_DEVICE_OST")) {
            guestSaid(data.path("info"));
        }
        tell(event.path("event").asText(), data);
    }

    /** @param newListener gets on the event loop what {@code VmEvent} has; its disks are named after their block nodes */
    synchronized void listen(Consumer<VmEvent> newListener) {
        listener = newListener;
    }

    private void tell(String name, JsonNode data) {
        Consumer<VmEvent> told;
        synchronized (this) {
            told = listener;
        }
        switch (name) {
            case "STOP" -> told.accept(new VmEvent.Paused());
            case "RESUME" -> told.accept(new VmEvent.Resumed());
            case "GUEST_PANICKED" -> told.accept(new VmEvent.GuestPanicked());
            case "BLOCK_IO_ERROR" -> {
                String node = data.path("node-name").asText();
                boolean write = data.path("operation").asText().equals("write");
                if (isNews(node + (write ? " write" : " read"))) {
                    told.accept(new VmEvent.DiskError(
                            node, write, data.path("reason").asText()));
                }
            }
            default -> {}
        }
    }

    private synchronized boolean isNews(String diskError) {
        long now = System.nanoTime();
        diskErrors.values().removeIf(at -> now - at > BETWEEN_DISK_ERRORS.toNanos());
        return diskErrors.size() < MAX_DISKS && diskErrors.putIfAbsent(diskError, now) == null;
    }

    /** What the guest said of a device (ACPI specification, _OST). */
    private void guestSaid(JsonNode info) {
        String device = info.path("device").asText();
        if (info.path("source").asInt() == OST_DEVICE_CHECK) {
            int status = info.path("status").asInt();
            take(Awaited.Kind.USE, device).forEach(awaited -> {
                if (status == 0) {
                    awaited.done().complete(null);
                } else {
                    awaited.done()
                            .completeExceptionally(new HypervisorException(
                                    "the guest cannot use the device " + device + ", its ACPI status is " + status));
                }
            });
        }
    }

    private void deleted(String device) {
        take(Awaited.Kind.DELETION, device).forEach(awaited -> awaited.done().complete(null));
    }

    private void refused(String device) {
        take(Awaited.Kind.DELETION, device)
                .forEach(awaited -> awaited.done()
                        .completeExceptionally(new HypervisorException(
                                "the guest refuses to let go of device " + device + ": it is in use there")));
    }

    private synchronized List<Awaited> take(Awaited.Kind kind, String device) {
        List<Awaited> met = awaited.stream()
                .filter(a -> a.kind() == kind && a.device().test(device))
                .toList();
        awaited.removeAll(met);
        return met;
    }

    /**
     * Completes on the event loop when QEMU tells, from now on, that a device is gone: because somebody asked for it, or
     * because the guest threw it out; exceptionally when QEMU tells that the guest refuses. Cancel it when nobody waits for it any more.
     */
    CompletableFuture<Void> deviceDeleted(Predicate<String> device) {
        return await(Awaited.Kind.DELETION, device);
    }

    /**
     * Completes on the event loop when the guest tells, from now on, that it has taken a processor or memory that was plugged
     * in; exceptionally when it tells that it cannot. Cancel it when nobody waits for it any more.
     */
    CompletableFuture<Void> deviceInUse(Predicate<String> device) {
        return await(Awaited.Kind.USE, device);
    }

    /** Completes on the event loop when the guest has, from now on, taken or given back virtio-mem. Cancel it as the others. */
    CompletableFuture<Void> memorySizeChanged() {
        return await(Awaited.Kind.SIZE, device -> true);
    }

    private synchronized CompletableFuture<Void> await(Awaited.Kind kind, Predicate<String> device) {
        awaited.removeIf(other -> other.done().isDone());
        CompletableFuture<Void> done = new CompletableFuture<>();
        awaited.add(new Awaited(kind, device, done));
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

    private record Awaited(Kind kind, Predicate<String> device, CompletableFuture<Void> done) {
        private enum Kind {
            USE,
            SIZE,
            DELETION
        }
    }
}
