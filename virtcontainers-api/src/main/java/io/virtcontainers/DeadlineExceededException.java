// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import org.jspecify.annotations.Nullable;

/** The operation did not end within its deadline; what it was waiting for is in the message. */
public final class DeadlineExceededException extends VirtException {
    private static final long serialVersionUID = 1L;

    public DeadlineExceededException(String message) {
        super(message);
    }

    public DeadlineExceededException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
