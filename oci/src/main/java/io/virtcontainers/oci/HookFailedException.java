// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import io.virtcontainers.VirtException;

/** A hook could not be started, or did not succeed; the message says which, how it ended, and what it wrote last. */
public final class HookFailedException extends VirtException {
    private static final long serialVersionUID = 1L;

    HookFailedException(String message) {
        super(message);
    }
}
