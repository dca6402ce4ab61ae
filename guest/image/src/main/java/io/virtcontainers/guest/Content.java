// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** The bytes of a file in memory. Never changed after they are given here. */
final class Content {
    private final byte[] bytes;

    private Content(byte[] bytes) {
        this.bytes = bytes;
    }

    static Content of(byte[] bytes) {
        return new Content(bytes);
    }

    static Content of(String text) {
        return new Content(text.getBytes(StandardCharsets.UTF_8));
    }

    int size() {
        return bytes.length;
    }

    ByteSource source() {
        return ByteSource.of(bytes);
    }

    String sha256() {
        return Sha256.of(bytes);
    }

    void writeTo(OutputStream out) throws IOException {
        out.write(bytes);
    }
}
