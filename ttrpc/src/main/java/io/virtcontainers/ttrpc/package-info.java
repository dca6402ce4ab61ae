// SPDX-License-Identifier: Apache-2.0
/**
 * ttrpc, containerd's small RPC for processes on one host, as it is defined by PROTOCOL.md and request.proto of
 * containerd/ttrpc (version 1.2): unary calls in both directions, over any stream that is a netty channel. {@link
 * io.virtcontainers.ttrpc.TtrpcClient} calls, {@link io.virtcontainers.ttrpc.TtrpcServer} answers; streaming calls are
 * refused. Neither trusts its peer: a message has 4 MiB at most, a longer one is skipped as it comes and never held, and
 * who does not read his answers is no longer read from.
 */
@NullMarked
package io.virtcontainers.ttrpc;

import org.jspecify.annotations.NullMarked;
