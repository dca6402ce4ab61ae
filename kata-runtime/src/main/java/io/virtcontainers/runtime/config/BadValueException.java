// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

/** A value that an option cannot have; who knows where it stands makes an error of it that says so. */
final class BadValueException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String problem;

    BadValueException(String problem) {
        super(problem);
        this.problem = problem;
    }

    String problem() {
        return problem;
    }

    static BadValueException not(ValueType<?> type) {
        return new BadValueException("must be " + type.allowed());
    }

    static BadValueException ofKind(TomlValue value, ValueType<?> type) {
        return new BadValueException("is " + value.kind() + ": must be " + type.allowed());
    }
}
