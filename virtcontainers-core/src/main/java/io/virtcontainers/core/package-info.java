// SPDX-License-Identifier: Apache-2.0
/**
 * The engine: the life cycle of sandboxes and containers over any hypervisor and agent. It knows backends only through
 * {@code io.virtcontainers.spi}.
 */
@NullMarked
package io.virtcontainers.core;

import org.jspecify.annotations.NullMarked;
