// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.List;

/**
 * A network interface of the guest, with the fields of the Kata agent's {@code types.Interface}.
 *
 * @param device the kernel's name of the interface
 * @param name the name to give it
 * @param addresses its addresses with prefix length: {@code 10.0.0.2/24}, {@code fd00::2/64}
 * @param mtu the largest packet in bytes; 0 leaves it as it is
 * @param hardwareAddress its MAC address, {@code 02:00:ca:fe:00:01}: by this the guest finds it
 * @param noArp whether address resolution is off (IFF_NOARP)
 */
public record GuestInterface(
        String device, String name, List<String> addresses, long mtu, String hardwareAddress, boolean noArp) {
    private static final String MAC = "[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}";
    private static final int MAX_MTU = 65536;

    public GuestInterface {
        addresses = List.copyOf(addresses);
        if (!hardwareAddress.isEmpty() && !hardwareAddress.matches(MAC)) {
            throw new InvalidConfigException(
                    "hardware address", '"' + hardwareAddress + '"', "must be like 02:00:ca:fe:00:01");
        }
        if (mtu < 0 || mtu > MAX_MTU) {
            throw new InvalidConfigException("mtu", Long.toString(mtu), "must be 0 to " + MAX_MTU);
        }
    }
}
