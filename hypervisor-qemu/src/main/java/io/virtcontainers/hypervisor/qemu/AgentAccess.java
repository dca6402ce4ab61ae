// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.spi.GuestChannel;
import java.util.List;
import java.util.stream.Stream;

/**
 * How the agent of a machine is reached.
 *
 * @param channels at least one
 * @param reason what they are and why, in words
 */
record AgentAccess(List<GuestChannel> channels, String reason) {

    /** Whether there is a virtio-serial controller. */
    boolean isSerial() {
        return !(channels.get(0) instanceof GuestChannel.Vsock);
    }

    /** Says it in the diagnostics, as the first event. */
    List<String> before(List<String> events) {
        return Stream.concat(Stream.of("agent channel: " + reason), events.stream())
                .toList();
    }

    @Override
    public String toString() {
        return '"' + reason + '"';
    }
}
