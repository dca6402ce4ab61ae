// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.time.Duration;
import java.util.List;
import java.util.Locale;

/**
 * Where the time went: the phases of a sandbox in the order in which they began. The same phases are JFR events named
 * {@code io.virtcontainers.Phase}.
 */
public record Timeline(List<Phase> phases) {

    /**
     * One phase.
     *
     * @param name for example {@code hypervisor.launch}
     * @param start when it began, counted from the creation of the sandbox
     * @param duration how long it took
     */
    public record Phase(String name, Duration start, Duration duration) {}

    public Timeline {
        phases = List.copyOf(phases);
    }

    /** A table: start and duration in milliseconds, and the name of the phase. */
    @Override
    public String toString() {
        StringBuilder table = new StringBuilder("   start ms  duration ms  phase");
        for (Phase phase : phases) {
            table.append(String.format(
                    Locale.ROOT,
                    "%n%11.1f  %11.1f  %s",
                    phase.start().toNanos() / 1e6,
                    phase.duration().toNanos() / 1e6,
                    phase.name()));
        }
        return table.toString();
    }
}
