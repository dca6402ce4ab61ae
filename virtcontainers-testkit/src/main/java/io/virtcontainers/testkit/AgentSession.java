// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.spi.Agent;

/** A running machine for {@link AgentTck}, with at least three channels to its agent and no sandbox created yet. */
public interface AgentSession extends AutoCloseable {
    /**
     * Begins to connect on a channel; returns at once. The caller closes it.
     *
     * @param channel 0 to 2
     */
    Agent connect(int channel);

    /** Plugs in a disk with a root file system, such as busybox; gives back its address in the guest. */
    String plugRootfs(String diskId);

    /** Unplugs it, after its container was removed. Does nothing if there is none. */
    void unplugRootfs(String diskId);

    /** Ends the machine. */
    @Override
    void close();
}
