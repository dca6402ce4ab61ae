// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;

/** A kind of hypervisor, found by {@link java.util.ServiceLoader}. Making one and opening it never fails. */
public interface HypervisorProvider {
    /** @param cacheDirectory where the backend may keep facts about the host; exists or can be made */
    Hypervisor open(Path cacheDirectory);
}
