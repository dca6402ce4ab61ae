// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import org.jspecify.annotations.Nullable;

/** The host lacks something that is needed (a program, a file, a right); the message says what and how to get it. */
public final class HostSetupException extends VirtException {
    private static final long serialVersionUID = 1L;

    public HostSetupException(String message) {
        super(message);
    }

    public HostSetupException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
