// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import org.jspecify.annotations.Nullable;

/** The guest agent refused a request, or the connection to it failed. */
public class AgentException extends VirtException {
    private static final long serialVersionUID = 1L;

    public AgentException(String message) {
        super(message);
    }

    public AgentException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
