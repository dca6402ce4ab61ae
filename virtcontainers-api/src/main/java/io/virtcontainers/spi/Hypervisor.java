// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;

/** Launches virtual machines. Thread-safe. Its own threads end with {@link #close}; its machines must be stopped before. */
public interface Hypervisor extends AutoCloseable {

    /**
     * Starts a virtual machine; returns when the hypervisor runs the guest, not when the guest is up. If this throws,
     * nothing runs any more. The machine ends when this Java process ends, however it ends.
     *
     * @throws io.virtcontainers.HostSetupException if the hypervisor's program is missing or unusable
     * @throws io.virtcontainers.HypervisorException if it refuses the configuration or dies
     */
    VirtualMachine launch(VmConfig config, Phases phases, Deadline deadline);

    /**
     * Ends whatever a crashed owner left running for the sandbox in this directory, identified beyond doubt (never by a
     * bare pid). Does not delete files. Does nothing if there is nothing.
     *
     * @throws io.virtcontainers.HypervisorException if a process of the sandbox cannot be ended
     */
    void reap(Path sandboxDirectory, Deadline deadline);

    @Override
    void close();
}
