// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** A root file system for tests that boot a VM: busybox alone, taken from the host (Debian: {@code busybox-static}). */
public final class BusyboxRootFs {
    private static final List<String> DIRECTORIES = List.of("bin", "etc", "dev", "proc", "sys", "tmp", "root");

    private BusyboxRootFs() {}

    /** Makes it in this directory, which need not exist. */
    public static Path create(Path directory) {
        try {
            for (String name : DIRECTORIES) {
                Files.createDirectories(directory.resolve(name));
            }
            Path busybox = directory.resolve("bin/busybox");
            Files.copy(find(), busybox, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.COPY_ATTRIBUTES);
            for (String applet : applets(busybox)) {
                if (!applet.equals("busybox")) {
                    Files.createSymbolicLink(directory.resolve("bin").resolve(applet), Path.of("busybox"));
                }
            }
            Files.writeString(directory.resolve("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
            Files.writeString(directory.resolve("etc/group"), "root:x:0:\n");
            return directory;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path find() {
        String path = System.getenv().getOrDefault("PATH", "/usr/bin:/bin");
        return Stream.concat(Arrays.stream(path.split(":")), Stream.of("/bin", "/usr/bin"))
                .map(directory -> Path.of(directory, "busybox"))
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow(() -> new IllegalStateException("no busybox in PATH: apt-get install busybox-static"));
    }

    private static List<String> applets(Path busybox) throws IOException {
        Process list = new ProcessBuilder(busybox.toString(), "--list").start();
        try (Stream<String> lines = new String(list.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines()) {
            return lines.toList();
        }
    }
}
