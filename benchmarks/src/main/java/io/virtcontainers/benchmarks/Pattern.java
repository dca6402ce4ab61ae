// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;

/** The bytes that go through a stream: 16 MiB of fixed noise, again and again; a lost or moved piece changes the hash. */
final class Pattern {
    static final int SIZE = 16 << 20;
    private static final long SEED = 4;

    private final byte[] bytes = new byte[SIZE];

    Pattern() {
        new Random(SEED).nextBytes(bytes);
    }

    byte[] bytes() {
        return bytes;
    }

    /** Leaves a file alone that has it already, so that an image made of its directory is used again. */
    void writeTo(Path file) throws IOException {
        if (!Files.exists(file) || !Arrays.equals(Files.readAllBytes(file), bytes)) {
            Files.write(file, bytes);
        }
    }

    String sha256(int times) {
        MessageDigest digest = digest();
        for (int i = 0; i < times; i++) {
            digest.update(bytes);
        }
        return hex(digest);
    }

    static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }
}
