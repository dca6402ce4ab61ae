// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.ContainerStatus;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.SandboxRecord;

/** What records look like to the caller. */
final class Statuses {
    private Statuses() {}

    /** Of a record that was settled under the lock that is still held. */
    static SandboxStatus of(SandboxRecord record, boolean guestAnswers) {
        return new SandboxStatus(
                record.id(),
                record.state(),
                record.config().detached(),
                record.owner(),
                record.vmm(),
                record.createdAt(),
                record.stopReason(),
                guestAnswers,
                record.config().annotations(),
                record.containers().stream().map(Statuses::of).toList(),
                record.devices());
    }

    private static ContainerStatus of(ContainerRecord container) {
        return new ContainerStatus(
                container.id(),
                container.state(),
                container.shim(),
                container.createdAt(),
                container.startedAt(),
                container.exit(),
                container.config().rootfs(),
                container.config().annotations());
    }

    /** Of a scoped sandbox of another process, which alone may write: what it wrote last, as far as the facts allow it. */
    static SandboxStatus ofForeign(SandboxRecord written) {
        SandboxRecord now = written;
        if (now.isUp() && !now.vmm().map(process -> process.isAlive()).orElse(false)) {
            now = now.stopped("its hypervisor is gone");
        }
        for (ContainerRecord container : now.containers()) {
            if (container.shim().isPresent() && !container.shim().get().isAlive()) {
                now = now.container(container.stopped(container.exit()));
            }
        }
        return of(now, /* guestAnswers= */ false);
    }
}
