// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

/**
 * What all machines have in common that can go on from one saved state ({@link MemoryImage}).
 *
 * @param digest of the machine, what it boots and its devices: hexadecimal digits, for a file's name
 * @param hypervisor which program, in which version: a state that another one has saved is refused
 */
public record MachineKey(String digest, String hypervisor) {}
