// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** A SHA-256 in the making. Every field is fed with its length, so that no two lists of fields give one digest. */
final class Sha256 {
    private final MessageDigest digest;
    private final byte[] scratch = new byte[8];

    Sha256() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    static String of(byte[] content) {
        Sha256 sha = new Sha256();
        sha.raw(content, 0, content.length);
        return sha.hex();
    }

    /** Bytes as they are, without a length. */
    void raw(byte[] bytes, int offset, int length) {
        digest.update(bytes, offset, length);
    }

    Sha256 add(String field) {
        byte[] bytes = field.getBytes(StandardCharsets.UTF_8);
        add(bytes.length);
        digest.update(bytes);
        return this;
    }

    Sha256 add(long field) {
        for (int i = 0; i < 8; i++) {
            scratch[i] = (byte) (field >>> (8 * i));
        }
        digest.update(scratch);
        return this;
    }

    /** The digest in hexadecimal; ends the use of this object. */
    String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }
}
