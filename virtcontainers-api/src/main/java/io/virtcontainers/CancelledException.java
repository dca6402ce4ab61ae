// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** The calling thread was interrupted while it waited. The interrupt flag of the thread is set again. */
public final class CancelledException extends VirtException {
    private static final long serialVersionUID = 1L;

    public CancelledException(String message) {
        super(message);
    }
}
