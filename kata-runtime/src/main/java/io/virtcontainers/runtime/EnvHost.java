// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** Facts about this host. What cannot be found out is an empty text. */
final class EnvHost {
    private static final long VERSION_SECONDS = 5;
    private static final int MAX_VERSION_BYTES = 4096;

    private EnvHost() {}

    /** A field of {@code /etc/os-release}. */
    static String distribution(String field) {
        return field(Path.of("/etc/os-release"), field, "=").replace("\"", "");
    }

    /** A field of the first processor. */
    static String processor(String field) {
        return field(Path.of("/proc/cpuinfo"), field, ":");
    }

    private static String field(Path file, String name, String separator) {
        try {
            for (String line : Files.readAllLines(file)) {
                String[] parts = line.split(separator, 2);
                if (parts.length == 2 && parts[0].strip().equals(name)) {
                    return parts[1].strip();
                }
            }
        } catch (IOException e) {
            return "";
        }
        return "";
    }

    /** The jar of this program. */
    static String programFile() {
        try {
            return Path.of(EnvHost.class
                            .getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .toString();
        } catch (URISyntaxException e) {
            return "";
        }
    }

    /** The first line that a program prints about its version. */
    static String version(Path program) {
        try {
            Path output = Files.createTempFile("kata-env", ".out");
            try {
                Process process = new ProcessBuilder(program.toString(), "--version")
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .redirectInput(new File("/dev/null"))
                        .start();
                boolean ended = process.waitFor(VERSION_SECONDS, TimeUnit.SECONDS);
                process.destroyForcibly();
                String text = ended && Files.size(output) <= MAX_VERSION_BYTES ? Files.readString(output) : "";
                return text.lines().findFirst().orElse("").strip();
            } finally {
                Files.delete(output);
            }
        } catch (IOException e) {
            return "";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "";
        }
    }
}
