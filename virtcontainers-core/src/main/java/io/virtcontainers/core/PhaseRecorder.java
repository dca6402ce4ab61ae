// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.Timeline;
import io.virtcontainers.spi.Phases;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Records the phases of one sandbox: for its timeline, which keeps the first {@value #KEPT}, and for JFR, which gets all.
 * Thread-safe.
 */
final class PhaseRecorder implements Phases {
    /** Enough for the boot and a pod of containers; a sandbox that lives for months must not grow by its phases. */
    private static final int KEPT = 256;

    private final String sandbox;
    private final long origin = System.nanoTime();
    private final List<Recorded> recorded = new ArrayList<>();

    PhaseRecorder(String sandbox) {
        this.sandbox = sandbox;
    }

    @Override
    public Phase begin(String name) {
        PhaseEvent event = new PhaseEvent(sandbox, name);
        event.begin();
        Recorded phase = new Recorded(name, event, System.nanoTime());
        synchronized (recorded) {
            if (recorded.size() < KEPT) {
                recorded.add(phase);
            }
        }
        return phase;
    }

    Timeline timeline() {
        synchronized (recorded) {
            return new Timeline(recorded.stream()
                    .map(phase -> new Timeline.Phase(
                            phase.name, Duration.ofNanos(phase.start - origin), Duration.ofNanos(phase.nanos())))
                    .toList());
        }
    }

    private static final class Recorded implements Phase {
        private static final long OPEN = -1;
        private final String name;
        private final PhaseEvent event;
        private final long start;
        private volatile long nanos = OPEN;

        Recorded(String name, PhaseEvent event, long start) {
            this.name = name;
            this.event = event;
            this.start = start;
        }

        long nanos() {
            long ended = nanos;
            return ended == OPEN ? System.nanoTime() - start : ended;
        }

        @Override
        public void close() {
            nanos = System.nanoTime() - start;
            event.commit();
        }
    }
}
