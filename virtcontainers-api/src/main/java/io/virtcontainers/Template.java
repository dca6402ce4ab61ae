// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.time.Instant;
import java.util.Optional;

/**
 * A template, see {@link SandboxConfig#template}.
 *
 * @param id of the kind of machine that it is for
 * @param hypervisor which program has saved it, in which version; empty if it cannot be read
 * @param size what it takes of the state directory
 * @param lastUse when a sandbox was started from it last, or it was made
 * @param problem why it cannot be used, and will be made anew at its next use; empty if it can
 */
public record Template(String id, String hypervisor, MemorySize size, Instant lastUse, Optional<String> problem) {}
