// SPDX-License-Identifier: Apache-2.0
/**
 * What a backend implements: a hypervisor, an agent, a guest image. Backends are found by
 * {@link java.util.ServiceLoader}; they depend on this artifact only.
 */
@NullMarked
package io.virtcontainers.spi;

import org.jspecify.annotations.NullMarked;
