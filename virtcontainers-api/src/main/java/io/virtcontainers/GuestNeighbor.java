// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/**
 * A static entry of the guest's neighbour table (ARP and NDP), with the fields of the Kata agent's {@code
 * types.ARPNeighbor}.
 *
 * @param address the neighbour's IP address
 * @param device the interface
 * @param hardwareAddress the neighbour's MAC address
 * @param state rtnetlink(7), ndm_state: 0x80 is permanent
 * @param flags rtnetlink(7), ndm_flags
 */
public record GuestNeighbor(String address, String device, String hardwareAddress, int state, int flags) {}
