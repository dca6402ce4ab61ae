// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.util.List;

/** Connects to agents. Thread-safe. Its own threads end with {@link #close}; its connections must be closed before. */
public interface AgentConnector extends AutoCloseable {

    /** What this agent needs on the guest's kernel command line. */
    List<String> kernelParameters();

    /**
     * Connects and returns when the agent has answered for the first time. The guest may still be booting.
     *
     * @throws io.virtcontainers.DeadlineExceededException if it did not answer in time
     * @throws io.virtcontainers.AgentException if the channel is gone
     */
    Agent connect(GuestChannel channel, Phases phases, Deadline deadline);

    @Override
    void close();
}
