// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

/**
 * What all machines have in common that can go on from one saved state ({@link MemoryImage}).
 *
 * @param family of all machines that differ in nothing but their size, and can grow as far: hexadecimal digits
 * @param size how large the machine is when it goes on
 * @param digest of the machine, what it boots and its devices: hexadecimal digits, for a file's name
 * @param hypervisor which program, in which version: a state that another one has saved is refused
 */
public record MachineKey(String family, MachineSize size, String digest, String hypervisor) {}
