// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.List;

/**
 * What was known about a sandbox when something failed. The guest writes parts of this: treat the text as data.
 *
 * @param phase what the library was doing, for example {@code agent.connect}; empty if unknown
 * @param consoleTail the last lines of the guest's console
 * @param hypervisorTail the last lines that the hypervisor process wrote to its standard error
 * @param events how the machine is reached, and the last events of the hypervisor (QMP events), oldest first
 */
public record Diagnostics(String phase, String consoleTail, String hypervisorTail, List<String> events) {
    private static final Diagnostics NONE = new Diagnostics("", "", "", List.of());

    public Diagnostics {
        events = List.copyOf(events);
    }

    public static Diagnostics none() {
        return NONE;
    }

    public boolean isEmpty() {
        return equals(NONE);
    }

    /** The same facts, seen in another phase. */
    public Diagnostics inPhase(String newPhase) {
        return new Diagnostics(newPhase, consoleTail, hypervisorTail, events);
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("  phase: " + (phase.isEmpty() ? "unknown" : phase));
        section(text, "hypervisor stderr", hypervisorTail);
        section(text, "hypervisor events", String.join("\n", events));
        section(text, "guest console", consoleTail);
        return text.toString();
    }

    private static void section(StringBuilder text, String title, String body) {
        if (!body.isBlank()) {
            text.append("\n  ").append(title).append(':');
            body.stripTrailing().lines().forEach(line -> text.append("\n    ").append(line));
        }
    }
}
