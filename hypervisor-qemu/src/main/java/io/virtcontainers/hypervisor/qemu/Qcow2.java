// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.InvalidConfigException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * The header of a qcow2 image, which can name further files of the host: what made the image would choose what the guest
 * reads and writes. Layout: QEMU's {@code docs/interop/qcow2.txt}.
 */
final class Qcow2 {
    private static final int MAGIC = 0x514649fb;
    private static final int HEADER = 80;
    private static final int BACKING_FILE_OFFSET = 8;
    private static final int VERSION = 4;
    private static final int INCOMPATIBLE_FEATURES = 72;
    private static final long EXTERNAL_DATA_FILE = 1 << 2;

    private Qcow2() {}

    /** @throws InvalidConfigException if it is none, or refers to further files */
    static void requireSelfContained(Path image) {
        ByteBuffer header = ByteBuffer.allocate(HEADER);
        try (FileChannel file = FileChannel.open(image)) {
            while (header.hasRemaining() && file.read(header, header.position()) > 0) {
                // Until it is full, or the file ends.
            }
        } catch (IOException e) {
            throw refused(image, "cannot be read: " + e);
        }
        if (header.position() < HEADER || header.getInt(0) != MAGIC) {
            throw refused(image, "is no qcow2 image");
        }
        if (header.getLong(BACKING_FILE_OFFSET) != 0) {
            throw refused(image, "has a backing file: make one image of both with \"qemu-img convert\"");
        }
        if (header.getInt(VERSION) >= 3 && (header.getLong(INCOMPATIBLE_FEATURES) & EXTERNAL_DATA_FILE) != 0) {
            throw refused(image, "has its data in another file: make one image of both with \"qemu-img convert\"");
        }
    }

    private static InvalidConfigException refused(Path image, String problem) {
        return new InvalidConfigException("qcow2 image", image.toString(), problem);
    }
}
