// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class ExitReasonTest {
    private static final String PANIC = "x\n[ 1.0] Kernel panic - not syncing: VFS\n[ 1.1] CPU: 0\n";

    private final QemuEvents events = new QemuEvents();

    private void shutdown(String reason) {
        ObjectNode event = new ObjectMapper().createObjectNode().put("event", "SHUTDOWN");
        event.putObject("data").put("reason", reason);
        events.accept(event);
    }

    @Test
    void namesSignals() {
        assertThat(ExitReason.of(OptionalInt.of(137), false, events, "", ""))
                .isEqualTo("QEMU was killed by signal 9 (SIGKILL)");
        assertThat(ExitReason.of(OptionalInt.of(128 + 40), false, events, "", ""))
                .isEqualTo("QEMU was killed by signal 40");
    }

    @Test
    void quotesTheStandardError() {
        assertThat(ExitReason.of(OptionalInt.of(1), false, events, "", "one\ntwo\n"))
                .isEqualTo("QEMU exited with code 1: one; two");
        assertThat(ExitReason.of(OptionalInt.of(1), false, events, "", "")).contains("wrote nothing");
        assertThat(ExitReason.of(OptionalInt.of(1), false, events, "", "x".repeat(5000)))
                .hasSizeLessThan(400);
    }

    @Test
    void quotesThePanicOnlyWhenTheMachineWasReset() {
        assertThat(ExitReason.of(OptionalInt.of(0), false, events, PANIC, "")).isEqualTo("QEMU exited with code 0");
        shutdown("guest-reset");
        assertThat(ExitReason.of(OptionalInt.of(0), false, events, PANIC, ""))
                .isEqualTo("guest panicked: [ 1.0] Kernel panic - not syncing: VFS");
        assertThat(ExitReason.of(OptionalInt.of(0), false, events, "", "")).startsWith("guest reset the machine");
    }

    @Test
    void believesQemuThatTheGuestPanicked() {
        events.accept(new ObjectMapper().createObjectNode().put("event", "GUEST_PANICKED"));
        assertThat(ExitReason.of(OptionalInt.of(0), false, events, "", ""))
                .isEqualTo("guest panicked: see its console");
    }

    @Test
    void tellsShutdownsApart() {
        shutdown("guest-shutdown");
        assertThat(ExitReason.of(OptionalInt.of(0), false, events, "", "")).isEqualTo("guest powered off");
        shutdown("host-signal");
        assertThat(ExitReason.of(OptionalInt.of(0), false, events, "", "")).contains("SIGTERM");
        shutdown("something-new");
        assertThat(ExitReason.of(OptionalInt.of(0), false, events, "", "")).isEqualTo("QEMU shut down: something-new");
        assertThat(ExitReason.of(OptionalInt.of(137), true, events, PANIC, "")).isEqualTo("stopped");
    }

    @Test
    void eventsAreBoundedInNumberAndLength() {
        ObjectNode event =
                new ObjectMapper().createObjectNode().put("event", "X").put("long", "y".repeat(100_000));
        for (int i = 0; i < 1000; i++) {
            events.accept(event);
        }
        assertThat(events.last()).hasSize(32).allMatch(text -> text.length() < 300);
    }
}
