// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.MachineType;
import java.util.Optional;

/** What differs between QEMU's machines. */
enum MachineModel {
    // q35 for its PCI hotplug by ACPI; without the devices that it has even under -nodefaults.
    Q35("q35", "sata=off,smbus=off,vmport=off", "qemu-system-x86_64", "pcie.0", "ttyS0"),
    PC("pc", "smbus=off,vmport=off", "qemu-system-x86_64", "pci.0", "ttyS0"),
    MICROVM("microvm", "", "qemu-system-x86_64", "", "ttyS0"),
    VIRT("virt", "", "qemu-system-aarch64", "pcie.0", "ttyAMA0");

    private final String name;
    private final String without;
    private final String program;
    private final String rootBus;
    private final String console;

    MachineModel(String name, String without, String program, String rootBus, String console) {
        this.name = name;
        this.without = without;
        this.program = program;
        this.rootBus = rootBus;
        this.console = console;
    }

    static MachineModel of(MachineType type) {
        return valueOf(type.name());
    }

    /** Of {@code -M}: the name, and what it is to be without. */
    String option() {
        return without.isEmpty() ? name : name + "," + without;
    }

    /** The QEMU that has it. */
    String program() {
        return program;
    }

    /** The bus of the PCI devices that are there from the start; only if {@link #hasPci}. */
    String rootBus() {
        return rootBus;
    }

    boolean hasPci() {
        return !rootBus.isEmpty();
    }

    boolean isPcie() {
        return rootBus.equals("pcie.0");
    }

    boolean isX86() {
        return this != VIRT;
    }

    /** What QEMU calls its memory. */
    String memory() {
        return switch (this) {
            case Q35, PC -> "pc.ram";
            case MICROVM -> "microvm.ram";
            case VIRT -> "mach-virt.ram";
        };
    }

    /** What the guest's kernel calls the first serial port. */
    String console() {
        return console;
    }

    /** The device by which the guest's kernel tells of a panic; empty if the machine has none. */
    Optional<String> panicDevice() {
        return switch (this) {
            case Q35, PC -> Optional.of("pvpanic");
            case VIRT -> Optional.of("pvpanic-pci");
            case MICROVM -> Optional.empty();
        };
    }

    /** QEMU's name of a virtio device: {@code virtio-serial-pci}, or {@code virtio-serial-device} without PCI. */
    String virtio(String kind) {
        return kind + (hasPci() ? "-pci" : "-device");
    }
}
