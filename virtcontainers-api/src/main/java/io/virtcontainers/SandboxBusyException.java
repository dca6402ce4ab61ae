// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.OptionalLong;

/**
 * Another operation holds the sandbox's lock, or another process owns the sandbox or all its channels. Nothing was
 * changed: try again later.
 */
public final class SandboxBusyException extends VirtException {
    private static final long serialVersionUID = 1L;

    private final long holder;

    /** @param holder the pid of the process that holds it, or empty if unknown */
    public SandboxBusyException(String message, OptionalLong holder) {
        super(message);
        this.holder = holder.orElse(0);
    }

    /** The pid of the process that holds the sandbox, this one's if another thread does; empty if unknown. */
    public OptionalLong holder() {
        return holder == 0 ? OptionalLong.empty() : OptionalLong.of(holder);
    }
}
