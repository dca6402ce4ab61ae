// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Boots {@link ProbeGuest} with an accelerator and the processor that real guests get. */
final class AcceleratorProbe {
    private static final Logger log = LoggerFactory.getLogger(AcceleratorProbe.class);

    /** Ten times what it takes on a busy host with emulation; a host on which it takes longer is no place for KVM. */
    static final Duration LIMIT = Duration.ofSeconds(3);

    private static final Duration KILL = Duration.ofSeconds(2);

    private final ProcessLauncher launcher;

    AcceleratorProbe(ProcessLauncher launcher) {
        this.launcher = launcher;
    }

    /**
     * @return why a guest cannot run, or empty if it has run
     * @throws DeadlineExceededException if the caller's deadline passed before the probe's own
     */
    Optional<String> failure(QemuInstallation qemu, boolean kvm, Deadline deadline) {
        Path directory;
        try {
            directory = Files.createTempDirectory("virtcontainers-probe");
        } catch (IOException e) {
            throw new HypervisorException("cannot make a temporary directory for the probe of KVM: " + e, e);
        }
        try {
            Path kernel = directory.resolve("probe");
            ProbeGuest.writeTo(kernel);
            return boot(commandLine(qemu, kvm, kernel), directory, deadline);
        } catch (IOException e) {
            throw new HypervisorException("cannot write the guest for the probe of KVM in " + directory + ": " + e, e);
        } finally {
            delete(directory);
        }
    }

    private static List<String> commandLine(QemuInstallation qemu, boolean kvm, Path kernel) {
        List<String> line = new ArrayList<>(List.of(qemu.binary().toString()));
        line.addAll(
                List.of("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-M", "q35", "-m", "64M"));
        line.addAll(ProcessorArguments.model(kvm, MachineModel.Q35));
        qemu.qboot().ifPresent(rom -> line.addAll(List.of("-bios", rom.toString())));
        line.addAll(List.of("-kernel", kernel.toString(), "-device", ProbeGuest.EXIT_DEVICE));
        return line;
    }

    private Optional<String> boot(List<String> line, Path directory, Deadline deadline) {
        ManagedProcess process = launcher.start(line, directory, deadline);
        try {
            Deadline limit = deadline.atMost(LIMIT);
            int exitCode =
                    limit.await(process.exit(), "the end of the probe guest").orElse(0);
            return exitCode == ProbeGuest.EXIT_CODE
                    ? Optional.empty()
                    : Optional.of("QEMU ended with code " + exitCode + ": " + ExitReason.lastWords(process.output()));
        } catch (DeadlineExceededException e) {
            if (deadline.isExpired()) {
                throw e;
            }
            return Optional.of("a small test guest did not get through its start within " + LIMIT.toSeconds() + " s");
        } finally {
            process.killAndWait(KILL);
        }
    }

    private static void delete(Path directory) {
        // Besides the kernel there may be the core dump of a QEMU that aborted.
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(directory);
        } catch (IOException e) {
            log.warn("temporary directory left behind path={} error={}", directory, e.toString());
        }
    }
}
