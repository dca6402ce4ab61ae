// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes an initramfs in the cpio format newc. */
final class Initrd {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private int inode;

    Initrd directory(String name) {
        return entry(name, 0_040_755, new byte[0], 0, 0);
    }

    Initrd program(String name, byte[] content) {
        return entry(name, 0_100_755, content, 0, 0);
    }

    Initrd program(String name, Path file) throws IOException {
        return program(name, Files.readAllBytes(file));
    }

    Initrd characterDevice(String name, int major, int minor) {
        return entry(name, 0_020_600, new byte[0], major, minor);
    }

    void writeTo(Path file) throws IOException {
        entry("TRAILER!!!", 0, new byte[0], 0, 0);
        Files.write(file, out.toByteArray());
    }

    private Initrd entry(String name, int mode, byte[] content, int major, int minor) {
        byte[] path = (name + "\0").getBytes(StandardCharsets.UTF_8);
        String header = String.format(
                "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                ++inode, mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, path.length, 0);
        out.writeBytes(header.getBytes(StandardCharsets.US_ASCII));
        out.writeBytes(path);
        pad();
        out.writeBytes(content);
        pad();
        return this;
    }

    private void pad() {
        while (out.size() % 4 != 0) {
            out.write(0);
        }
    }
}
