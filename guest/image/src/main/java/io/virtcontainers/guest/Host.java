// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What this module takes from the host, in one place so that tests can give another.
 *
 * @param environment the environment variables
 * @param bootDirectory where distributions put kernels
 * @param moduleRoots where distributions put kernel modules, one folder per release
 * @param architecture the machine as Linux calls it: x86_64, aarch64
 * @param agent the guest agent's binary for this architecture, if the jar has it
 * @param root whether this process runs as root
 * @param clock the time, to compare with the change times of files
 */
record Host(
        Map<String, String> environment,
        Path bootDirectory,
        List<Path> moduleRoots,
        String architecture,
        Optional<URL> agent,
        boolean root,
        InstantSource clock) {

    Host {
        environment = Map.copyOf(environment);
        moduleRoots = List.copyOf(moduleRoots);
    }

    static Host local() {
        String architecture = linuxName(System.getProperty("os.arch", ""));
        return new Host(
                System.getenv(),
                Path.of("/boot"),
                List.of(Path.of("/lib/modules"), Path.of("/usr/lib/modules")),
                architecture,
                Optional.ofNullable(Host.class.getResource("agent/" + architecture + "/virtcontainers-agent")),
                runsAsRoot(),
                InstantSource.system());
    }

    private static String linuxName(String javaName) {
        return switch (javaName.toLowerCase(Locale.ROOT)) {
            case "amd64", "x86_64" -> "x86_64";
            case "aarch64", "arm64" -> "aarch64";
            default -> javaName;
        };
    }

    /** The owner of /proc/self is the effective user. */
    private static boolean runsAsRoot() {
        try {
            return Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    /** The first executable file of this name in PATH and in the usual folders of programs. */
    Optional<Path> findProgram(String name) {
        String folders =
                environment.getOrDefault("PATH", "") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        for (String folder : folders.split(":", -1)) {
            Path program = Path.of(folder.isEmpty() ? "/" : folder, name);
            if (!folder.isEmpty() && Files.isRegularFile(program) && Files.isExecutable(program)) {
                return Optional.of(program.toAbsolutePath());
            }
        }
        return Optional.empty();
    }

    /** A variable that is set and not empty. */
    Optional<String> variable(String name) {
        return Optional.ofNullable(environment.get(name)).filter(value -> !value.isBlank());
    }
}
