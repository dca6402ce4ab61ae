// SPDX-License-Identifier: Apache-2.0
/**
 * The client of the Kata Containers 1.x agent: gRPC over the unix socket that a hypervisor shows for the guest's
 * virtio-serial port. {@link io.virtcontainers.agent.kata.AgentConnection} is the heart: how a connection is made,
 * watched and given up; everything else turns the library's words into the agent's messages and back.
 */
@NullMarked
package io.virtcontainers.agent.kata;

import org.jspecify.annotations.NullMarked;
