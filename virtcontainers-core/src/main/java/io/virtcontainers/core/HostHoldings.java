// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.core.cgroup.HostCgroups;
import io.virtcontainers.core.network.Networks;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.core.state.SandboxRecord;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** What the host holds for a sandbox and what does not end with the hypervisor's process; by the entries of its journal. */
final class HostHoldings {
    /** What the making or undoing of one of them may take. */
    static final Duration PATIENCE = Duration.ofSeconds(20);

    private HostHoldings() {}

    /** In the order in which they must be given back. */
    static List<Held> of(SandboxRecord record) {
        List<Held> held = new ArrayList<>(record.held());
        held.removeIf(entry -> !entry.kind().outlivesTheMachine());
        Collections.reverse(held);
        return held;
    }

    /** Gives one back; does nothing if it was never acquired. */
    static void giveBack(Held entry) {
        switch (entry.kind()) {
            case CGROUP -> HostCgroups.ofHost().remove(entry.id(), Deadline.after(PATIENCE));
            case NETWORK -> Networks.undo(entry.id(), Deadline.after(PATIENCE));
            case VM, DEVICE, LINK, GUEST_CONTAINER ->
                throw new IllegalArgumentException(entry + " ends with the machine");
        }
    }
}
