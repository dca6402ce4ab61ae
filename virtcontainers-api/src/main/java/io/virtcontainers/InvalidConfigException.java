// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** A setting cannot be used as given. Raised before anything is started. */
public final class InvalidConfigException extends VirtException {
    private static final long serialVersionUID = 1L;

    public InvalidConfigException(String message) {
        super(message);
    }

    /** A message of the form {@code <setting> <value>: <problem>}. */
    public InvalidConfigException(String setting, String value, String problem) {
        super(setting + " " + value + ": " + problem);
    }
}
