// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.spi.Deadline;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Finds QEMU and asks each binary once for its version and its firmware, then remembers it on disk. Thread-safe. */
final class QemuInstallations {
    private static final Logger log = LoggerFactory.getLogger(QemuInstallations.class);
    private static final String REMEDY =
            "install QEMU (\"apt install qemu-system-x86\", on arm64 qemu-system-arm) or configure its binary";
    private static final int OLDEST_MAJOR = 7;
    private static final Pattern VERSION = Pattern.compile("version (\\d{1,4})\\.(\\d+(\\.\\d+)?)");
    private static final Duration ANSWER = Duration.ofSeconds(10);
    private static final Duration FOR_EVER = Duration.ofDays(36500);

    private final ProcessLauncher launcher;
    private final HostFacts facts;
    private final Map<String, QemuInstallation> byIdentity = new ConcurrentHashMap<>();

    QemuInstallations(ProcessLauncher launcher, HostFacts facts) {
        this.launcher = launcher;
        this.facts = facts;
    }

    /** @throws HostSetupException if there is none, or an old one, with the remedy */
    QemuInstallation find(Optional<Path> configured, MachineModel model, Deadline deadline) {
        Path binary = configured
                .map(QemuInstallations::requireProgram)
                .orElseGet(() -> Programs.require(model.program(), REMEDY));
        String identity = identity(binary);
        QemuInstallation known = byIdentity.get(identity);
        if (known == null) {
            known = remembered(binary, identity).orElseGet(() -> ask(binary, identity, deadline));
            byIdentity.put(identity, known);
            if (known.qboot().isEmpty()) {
                log.warn(
                        "no qboot.rom beside QEMU, guests boot slower with its default firmware binary={} searched={}",
                        binary,
                        known.dataDirectories());
            }
        }
        return known;
    }

    private static Path requireProgram(Path binary) {
        Path absolute = binary.toAbsolutePath();
        if (!Files.isRegularFile(absolute) || !Files.isExecutable(absolute)) {
            throw new HostSetupException("QEMU binary " + binary + " is not an executable file; " + REMEDY);
        }
        return absolute;
    }

    /** Changes whenever another version is installed. */
    static String identity(Path binary) {
        try {
            return binary + "|" + Files.getLastModifiedTime(binary).toMillis() + "|" + Files.size(binary);
        } catch (IOException e) {
            throw new HostSetupException("cannot read QEMU binary " + binary + ": " + e, e);
        }
    }

    private Optional<QemuInstallation> remembered(Path binary, String identity) {
        return facts.read(factName(binary), identity, FOR_EVER)
                .map(fact -> new QemuInstallation(
                        binary, fact.getOrDefault("version", ""), paths(fact.getOrDefault("dataDirectories", ""))));
    }

    private QemuInstallation ask(Path binary, String identity, Deadline deadline) {
        String said = run(binary, List.of("-version"), deadline);
        Matcher version = VERSION.matcher(said);
        if (!version.find()) {
            throw new HostSetupException(
                    binary + " -version says no version of QEMU but: " + ExitReason.lastWords(said) + "; " + REMEDY);
        }
        String number = version.group(1) + "." + version.group(2);
        if (Integer.parseInt(version.group(1)) < OLDEST_MAJOR) {
            throw new HostSetupException("QEMU " + binary + " has version " + number + "; at least " + OLDEST_MAJOR
                    + ".0 is needed: " + REMEDY);
        }
        String directories =
                run(binary, List.of("-L", "help"), deadline).strip().replace("\n", File.pathSeparator);
        facts.write(factName(binary), identity, Map.of("version", number, "dataDirectories", directories));
        return new QemuInstallation(binary, number, paths(directories));
    }

    /** What it prints. */
    String run(Path binary, List<String> arguments, Deadline deadline) {
        List<String> line = new ArrayList<>(List.of(binary.toString()));
        line.addAll(arguments);
        ManagedProcess process = launcher.start(line, Path.of("/"), deadline);
        try {
            var unused = deadline.atMost(ANSWER).await(process.exit(), "the end of " + String.join(" ", line));
            return process.output();
        } finally {
            process.killAndWait(Duration.ofSeconds(2));
        }
    }

    private static List<Path> paths(String joined) {
        return Pattern.compile(File.pathSeparator)
                .splitAsStream(joined)
                .filter(path -> path.startsWith("/"))
                .map(Path::of)
                .toList();
    }

    static String factName(Path binary) {
        return "installation-" + Integer.toHexString(binary.toString().hashCode());
    }
}
