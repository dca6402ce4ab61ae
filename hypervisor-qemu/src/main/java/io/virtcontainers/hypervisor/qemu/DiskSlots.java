// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HypervisorException;
import java.util.BitSet;

/** The slots of the bridge for disks: 1 to 30. Slot 0 is never used by bridges, 31 has the agent's port. Thread-safe. */
final class DiskSlots {
    static final int FIRST = 1;
    static final int LAST = 30;

    private final BitSet used = new BitSet(LAST + 1);

    /** @throws HypervisorException if all are in use */
    synchronized int take() {
        int slot = used.nextClearBit(FIRST);
        if (slot > LAST) {
            throw new HypervisorException("no free slot for another disk: a virtual machine has " + (LAST - FIRST + 1)
                    + "; remove a container or use another sandbox");
        }
        used.set(slot);
        return slot;
    }

    synchronized void free(int slot) {
        used.clear(slot);
    }
}
