// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The content of an initrd. Not compressed: QEMU and the guest take as long for 12 MB either way. */
final class Initrd {
    /** What is mounted there, or written by the agent, comes later. */
    private static final Map<String, Integer> FOLDERS = Map.of(
            "/proc", 0755, "/sys", 0755, "/dev", 0755, "/run", 0755, "/tmp", 01777, "/etc", 0755, "/mnt", 0755, "/root",
            0700);

    private final TreeMap<String, GuestFile> files = new TreeMap<>();

    void add(GuestFile file) {
        files.putIfAbsent(file.path(), file);
    }

    Iterable<GuestFile> files() {
        return files.values();
    }

    /** Everything that decides what {@link #write} writes. */
    void addTo(Sha256 sha) {
        files.values()
                .forEach(file -> sha.add(file.path())
                        .add(file.permissions())
                        .add(file.content().sha256()));
    }

    void write(OutputStream target) throws IOException {
        Set<String> folders = new TreeSet<>(FOLDERS.keySet());
        for (String path : files.keySet()) {
            for (int slash = path.indexOf('/', 1); slash > 0; slash = path.indexOf('/', slash + 1)) {
                folders.add(path.substring(0, slash));
            }
        }
        try (CpioWriter cpio = new CpioWriter(new BufferedOutputStream(target, 1 << 16))) {
            for (String folder : folders) {
                cpio.directory(folder, FOLDERS.getOrDefault(folder, 0755));
            }
            // The kernel opens it for /init before anything could mount devtmpfs.
            cpio.characterDevice("/dev/console", 0600, 5, 1);
            for (GuestFile file : files.values()) {
                cpio.file(file.path(), file.permissions(), file.content());
            }
        }
    }
}
