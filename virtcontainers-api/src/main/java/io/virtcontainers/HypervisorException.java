// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import org.jspecify.annotations.Nullable;

/** The hypervisor could not be started, refused a command, or ended unexpectedly. */
public class HypervisorException extends VirtException {
    private static final long serialVersionUID = 1L;

    public HypervisorException(String message) {
        super(message);
    }

    public HypervisorException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
