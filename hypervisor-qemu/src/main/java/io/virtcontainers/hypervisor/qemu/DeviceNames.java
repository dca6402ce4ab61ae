// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a plugged device is called in QEMU, found out from the caller's id alone, so that every process finds a device that
 * any process plugged in. QEMU's names are at most 31 characters long, so they have 96 bits of a hash of the id. A device's
 * name also says its place, so that one list of names tells which places are taken, whatever the guest does to its PCI
 * bridge.
 */
final class DeviceNames {
    private static final int HASH_BYTES = 12;
    private static final Pattern DEVICE =
            Pattern.compile("(" + Plug.Bus.names() + ")(?:([0-9a-f]{2})-)?([0-9a-f]{" + 2 * HASH_BYTES + "})");

    private final String hash;

    DeviceNames(String id) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(id.getBytes(StandardCharsets.UTF_8));
            this.hash = HexFormat.of().formatHex(digest, 0, HASH_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    String hash() {
        return hash;
    }

    /** The host's side: a block node, network back end, or character device. */
    String host() {
        return "host-" + hash;
    }

    /** The device: the guest's side. */
    String device(Plug.Bus bus, int place) {
        return bus.prefix() + (bus.hasPlaces() ? QemuCommandLine.slot(place) + "-" : "") + hash;
    }

    /** Whether this is the device's name, wherever it is. */
    boolean isDevice(String name) {
        Matcher matcher = DEVICE.matcher(name);
        return matcher.matches() && matcher.group(3).equals(hash);
    }

    Optional<String> deviceAmong(List<String> names) {
        return names.stream().filter(this::isDevice).findFirst();
    }

    /** The place that a device takes on this bus; empty for any other device. */
    static Optional<Integer> placeOf(Plug.Bus bus, String name) {
        Matcher matcher = DEVICE.matcher(name);
        return matcher.matches() && matcher.group(1).equals(bus.prefix())
                ? Optional.ofNullable(matcher.group(2)).map(hex -> Integer.parseInt(hex, 16))
                : Optional.empty();
    }
}
