// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A phase in the life of a sandbox, as a JFR event. */
@Name("io.virtcontainers.Phase")
@Label("Sandbox Phase")
@Category("virtcontainers")
@StackTrace(false)
final class PhaseEvent extends Event {
    @Label("Sandbox")
    final String sandbox;

    @Label("Phase")
    final String phase;

    PhaseEvent(String sandbox, String phase) {
        this.sandbox = sandbox;
        this.phase = phase;
    }
}
