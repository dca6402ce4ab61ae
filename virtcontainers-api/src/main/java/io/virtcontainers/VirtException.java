// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import org.jspecify.annotations.Nullable;

/**
 * The root of every error of this library. The message says what failed, with what value, and what to do about it; the
 * {@link Diagnostics} say in which phase, and what the virtual machine showed at that moment.
 */
public class VirtException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Null after deserialization: the machine that it tells of is then far away. */
    private transient volatile @Nullable Diagnostics diagnostics;

    public VirtException(String message) {
        super(message);
    }

    public VirtException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }

    /** What was known about the sandbox when the error was raised; {@link Diagnostics#none()} if nothing. */
    public final Diagnostics diagnostics() {
        Diagnostics known = diagnostics;
        return known == null ? Diagnostics.none() : known;
    }

    /**
     * Attaches what is known about the sandbox, unless something more precise was attached closer to the failure.
     *
     * @return this exception
     */
    public final VirtException withDiagnostics(Diagnostics more) {
        if (diagnostics().isEmpty()) {
            diagnostics = more;
        }
        return this;
    }

    /** The message, followed by the diagnostics when there are any: what a stack trace prints. */
    @Override
    @SuppressWarnings("OverrideThrowableToString") // getMessage() stays one line, for logs and callers
    public String toString() {
        Diagnostics known = diagnostics();
        return known.isEmpty() ? super.toString() : super.toString() + System.lineSeparator() + known;
    }
}
