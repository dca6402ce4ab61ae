// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** There is no such sandbox, container or process. */
public final class NotFoundException extends VirtException {
    private static final long serialVersionUID = 1L;

    public NotFoundException(String message) {
        super(message);
    }
}
