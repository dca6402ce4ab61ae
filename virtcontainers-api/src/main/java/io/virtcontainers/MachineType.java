// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** The kind of machine that the hypervisor emulates (QEMU's {@code -machine}). */
public enum MachineType {
    /** PCI Express, hotplug by ACPI: the default on x86_64. */
    Q35,
    /** The older i440FX machine, Kata's default on x86_64. */
    PC,
    /** Without PCI: boots in the least time, and takes no devices while it runs. */
    MICROVM,
    /** The only one on arm64. */
    VIRT;

    /** The default on this host: {@link #VIRT} on arm64, else {@link #Q35}. */
    public static MachineType ofHost() {
        return System.getProperty("os.arch", "").equals("aarch64") ? VIRT : Q35;
    }
}
