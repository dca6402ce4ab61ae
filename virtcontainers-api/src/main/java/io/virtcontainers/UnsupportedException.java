// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** The backend, the guest's agent, or this version of the library cannot do this; the message says which, and why. */
public final class UnsupportedException extends VirtException {
    private static final long serialVersionUID = 1L;

    public UnsupportedException(String message) {
        super(message);
    }
}
