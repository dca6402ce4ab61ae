// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HypervisorException;

/** QEMU refused a QMP command. */
final class QmpException extends HypervisorException {
    private static final long serialVersionUID = 1L;

    private final String errorClass;
    private final String description;

    QmpException(String command, String errorClass, String description) {
        super("QEMU refused " + command + ": " + description + " (" + errorClass + ")");
        this.errorClass = errorClass;
        this.description = description;
    }

    /** QMP's class of the error: {@code GenericError}, {@code DeviceNotFound}, ... */
    String errorClass() {
        return errorClass;
    }

    String description() {
        return description;
    }
}
