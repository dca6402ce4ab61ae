// SPDX-License-Identifier: Apache-2.0
/**
 * The client's side of yamux (hashicorp/yamux, {@code spec.md}, version 0), which the agents of Kata Containers 1.x speak on
 * a virtio-serial port: netty handlers that make one stream of a session look like a socket of its own.
 */
@NullMarked
package io.virtcontainers.agent.kata.yamux;

import org.jspecify.annotations.NullMarked;
