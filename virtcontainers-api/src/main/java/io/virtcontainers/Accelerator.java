// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** How the guest's instructions are executed. */
public enum Accelerator {
    /** KVM if a probe shows that it can really boot a guest on this host, otherwise TCG. */
    AUTO,
    /** Hardware virtualization. */
    KVM,
    /** Software emulation: works everywhere, several times slower. */
    TCG
}
