// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

/** The type of a file as the mode of a stat call has it. */
enum FileType {
    REGULAR(0100000),
    DIRECTORY(0040000),
    SYMLINK(0120000),
    CHARACTER_DEVICE(0020000),
    BLOCK_DEVICE(0060000),
    FIFO(0010000),
    SOCKET(0140000);

    private static final int TYPE_MASK = 0170000;

    private final int bits;

    FileType(int bits) {
        this.bits = bits;
    }

    int bits() {
        return bits;
    }

    static FileType ofMode(int mode) {
        int bits = mode & TYPE_MASK;
        for (FileType type : values()) {
            if (type.bits == bits) {
                return type;
            }
        }
        throw new IllegalArgumentException("no file type has the mode bits 0" + Integer.toOctalString(bits));
    }
}
