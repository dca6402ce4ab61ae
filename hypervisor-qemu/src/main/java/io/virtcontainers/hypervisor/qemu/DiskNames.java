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
 * What a disk is called in QEMU, found out from the caller's id alone, so that every process finds a disk that any process
 * plugged in. QEMU's names are at most 31 characters long, so they have 96 bits of a hash of the id. A device's name also
 * says its slot, so that one list of names tells which slots are taken, whatever the guest does to its PCI bridge.
 */
final class DiskNames {
    private static final int HASH_BYTES = 12;
    private static final Pattern DEVICE = Pattern.compile("disk([0-9a-f]{2})-([0-9a-f]{" + 2 * HASH_BYTES + "})");

    private final String hash;

    DiskNames(String id) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(id.getBytes(StandardCharsets.UTF_8));
            this.hash = HexFormat.of().formatHex(digest, 0, HASH_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /** The block node: the host's side. */
    String node() {
        return "node-" + hash;
    }

    /** The device: the guest's side. */
    String device(int slot) {
        return "disk" + QemuCommandLine.slot(slot) + "-" + hash;
    }

    /** Whether this is the device's name, in whatever slot. */
    boolean isDevice(String name) {
        Matcher matcher = DEVICE.matcher(name);
        return matcher.matches() && matcher.group(2).equals(hash);
    }

    Optional<String> deviceAmong(List<String> names) {
        return names.stream().filter(this::isDevice).findFirst();
    }

    /** The slot of a disk's device; empty for any other device. */
    static Optional<Integer> slotOf(String name) {
        Matcher matcher = DEVICE.matcher(name);
        return matcher.matches() ? Optional.of(Integer.parseInt(matcher.group(1), 16)) : Optional.empty();
    }
}
