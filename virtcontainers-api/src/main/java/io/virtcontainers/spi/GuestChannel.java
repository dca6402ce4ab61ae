// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;

/**
 * The byte stream to the agent: a virtio-serial port that the hypervisor shows as a listening unix socket. One connection
 * at a time; what is written before the guest has opened its port waits there.
 *
 * @param unixSocket the socket on the host
 */
public record GuestChannel(Path unixSocket) {}
