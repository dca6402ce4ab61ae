// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** A SHA-256 in the making. Every field is fed with its length, so that no two lists of fields give one digest. */
final class Sha256 {
    private final MessageDigest digest;
    /** Short fields are many: they are collected here, as every call of the digest costs more than they do. */
    private final byte[] pending = new byte[4096];

    private int pendingLength;

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
        flush();
        digest.update(bytes, offset, length);
    }

    private void flush() {
        digest.update(pending, 0, pendingLength);
        pendingLength = 0;
    }

    Sha256 add(String field) {
        byte[] bytes = field.getBytes(StandardCharsets.UTF_8);
        add(bytes.length);
        if (bytes.length > pending.length - pendingLength) {
            raw(bytes, 0, bytes.length);
        } else {
            System.arraycopy(bytes, 0, pending, pendingLength, bytes.length);
            pendingLength += bytes.length;
        }
        return this;
    }

    Sha256 add(long field) {
        if (pendingLength + Long.BYTES > pending.length) {
            flush();
        }
        for (int i = 0; i < Long.BYTES; i++) {
            pending[pendingLength++] = (byte) (field >>> (8 * i));
        }
        return this;
    }

    /** The digest in hexadecimal; ends the use of this object. */
    String hex() {
        flush();
        return HexFormat.of().formatHex(digest.digest());
    }
}
