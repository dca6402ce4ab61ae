// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Ends one QEMU: asks over QMP, then sends SIGTERM, then SIGKILL. An interrupt leads to SIGKILL at once. */
final class QemuStop {
    /** What SIGKILL gets even when the deadline is over, as nothing may be left behind. */
    static final Duration MIN_KILL = Duration.ofSeconds(1);

    private static final Logger log = LoggerFactory.getLogger(QemuStop.class);
    private static final Duration MAX_QUIT = Duration.ofSeconds(2);
    /** For a QEMU that has closed its QMP connection. */
    private static final Duration ENDING = Duration.ofMillis(300);

    private static final Duration MAX_TERMINATE = Duration.ofSeconds(1);

    private final String sandboxId;
    private final HostProcess identity;
    private final ManagedProcess process;
    private final Link link;

    QemuStop(String sandboxId, HostProcess identity, ManagedProcess process, Link link) {
        this.sandboxId = sandboxId;
        this.identity = identity;
        this.process = process;
        this.link = link;
    }

    /** @throws HypervisorException if the process survives even SIGKILL */
    void run(Deadline deadline) {
        try {
            if (!quit(deadline) && !terminate(deadline)) {
                kill(deadline);
            }
        } catch (InterruptedException e) {
            try {
                kill(deadline);
            } finally {
                Thread.currentThread().interrupt();
            }
        }
    }

    private boolean quit(Deadline deadline) throws InterruptedException {
        Deadline slice = deadline.atMost(MAX_QUIT).atMost(deadline.remaining().dividedBy(3));
        try {
            var unused = link.call(slice, qmp -> qmp.execute("quit", Map.of(), slice));
            return process.waitFor(slice.remaining());
        } catch (CancelledException e) {
            boolean unusedFlag = Thread.interrupted();
            throw new InterruptedException();
        } catch (DeadlineExceededException e) {
            return !process.isAlive();
        } catch (HypervisorException e) {
            // No connection, or one that has ended: then QEMU may be about to end as well.
            return process.waitFor(slice.atMost(ENDING).remaining());
        }
    }

    private boolean terminate(Deadline deadline) throws InterruptedException {
        log.info("qemu did not quit, sending SIGTERM sandbox={} pid={}", sandboxId, identity.pid());
        process.terminate();
        return process.waitFor(deadline.atMost(MAX_TERMINATE)
                .atMost(deadline.remaining().dividedBy(2))
                .remaining());
    }

    private void kill(Deadline deadline) {
        Duration remaining = deadline.remaining();
        Duration time = remaining.compareTo(MIN_KILL) < 0 ? MIN_KILL : remaining;
        if (!process.killAndWait(time) && identity.isAlive()) {
            throw new HypervisorException("QEMU of sandbox " + sandboxId + " (pid " + identity.pid()
                    + ") survived SIGKILL for " + time.toMillis()
                    + " ms; it must be stuck in the host's kernel: see /proc/" + identity.pid() + "/stack");
        }
    }
}
