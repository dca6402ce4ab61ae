// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import org.jspecify.annotations.Nullable;

/** The connection to the guest agent broke during a request: whether the request was carried out is unknown. */
public final class AgentConnectionLostException extends AgentException {
    private static final long serialVersionUID = 1L;

    public AgentConnectionLostException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
