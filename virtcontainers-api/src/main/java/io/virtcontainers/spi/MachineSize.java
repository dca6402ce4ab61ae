// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.MemorySize;

/**
 * How large a machine is now.
 *
 * @param vcpus virtual processors
 * @param memory its memory, with what was plugged in
 */
public record MachineSize(int vcpus, MemorySize memory) {}
