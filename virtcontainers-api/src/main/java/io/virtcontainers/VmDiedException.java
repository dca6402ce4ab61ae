// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** The virtual machine ended while it was needed: the hypervisor was killed, the guest crashed or powered off. */
public final class VmDiedException extends HypervisorException {
    private static final long serialVersionUID = 1L;

    public VmDiedException(String message) {
        super(message);
    }
}
