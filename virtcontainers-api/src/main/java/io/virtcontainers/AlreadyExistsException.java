// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** The id is taken. */
public final class AlreadyExistsException extends VirtException {
    private static final long serialVersionUID = 1L;

    public AlreadyExistsException(String message) {
        super(message);
    }
}
