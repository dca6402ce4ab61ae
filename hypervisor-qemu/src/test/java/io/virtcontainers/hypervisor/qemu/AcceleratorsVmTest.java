// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.NO_PHASES;
import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.Accelerator;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Phases;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With scripts for QEMU, as both answers of a probe must be seen on every host, whatever its KVM can do. */
@Tag("vm")
class AcceleratorsVmTest {
    @TempDir
    Path directory;

    private final List<String> begun = new ArrayList<>();
    private final Phases phases = name -> {
        begun.add(name);
        return () -> {};
    };
    private ProcessLauncher launcher;

    @BeforeEach
    void open() {
        launcher = new ProcessLauncher();
    }

    @AfterEach
    void close() {
        launcher.close();
    }

    private Accelerators accelerators(Path device) {
        return new Accelerators(device, new AcceleratorProbe(launcher), new HostFacts(directory));
    }

    private QemuInstallation script(String body) throws IOException {
        Path file = Files.writeString(directory.resolve("fake-qemu"), "#!/bin/sh\n" + body + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
        return new QemuInstallation(file, "8.0.0", List.of());
    }

    private boolean auto(Path device, QemuInstallation qemu) {
        return accelerators(device).useKvm(Accelerator.AUTO, MachineModel.Q35, qemu, phases, seconds(30));
    }

    @Test
    void theProbeGuestGetsThroughWhereGuestsRun() {
        QemuInstallation qemu = new QemuInstallations(launcher, new HostFacts(directory))
                .find(Optional.empty(), MachineModel.Q35, seconds(20));
        assertThat(new AcceleratorProbe(launcher).failure(qemu, false, seconds(20)))
                .isEmpty();
        // And with the default firmware.
        QemuInstallation noQboot = new QemuInstallation(qemu.binary(), qemu.version(), List.of());
        assertThat(new AcceleratorProbe(launcher).failure(noQboot, false, seconds(20)))
                .isEmpty();
    }

    @Test
    void aGuestThatHangsIsAFailureWithinTheLimit() throws IOException {
        long start = System.nanoTime();
        assertThat(new AcceleratorProbe(launcher).failure(script("exec sleep 1000"), true, seconds(60)))
                .hasValueSatisfying(reason -> assertThat(reason).contains("within 3 s"));
        assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(10));
    }

    @Test
    void kvmIsUsedAfterOneSuccessfulProbeAndItIsRemembered() throws IOException {
        Path device = Files.createFile(directory.resolve("kvm"));
        QemuInstallation qemu = script("exit " + ProbeGuest.EXIT_CODE);
        assertThat(auto(device, qemu)).isTrue();
        assertThat(auto(device, qemu)).isTrue();
        assertThat(begun).containsExactly("accelerator.probe");
    }

    @Test
    void aFailedProbeMeansEmulationForAutoAndAnErrorForKvm() throws IOException {
        Path device = Files.createFile(directory.resolve("kvm"));
        QemuInstallation qemu = script("echo 'failed to set MSR 0x10a' >&2; exit 134");
        assertThat(auto(device, qemu)).isFalse();
        assertThatThrownBy(
                        () -> accelerators(device).useKvm(Accelerator.KVM, MachineModel.Q35, qemu, phases, seconds(30)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("code 134")
                .hasMessageContaining("failed to set MSR")
                .hasMessageContaining("TCG");
        assertThat(begun).containsExactly("accelerator.probe");
    }

    @Test
    void anotherBinaryIsProbedAnew() throws IOException {
        Path device = Files.createFile(directory.resolve("kvm"));
        assertThat(auto(device, script("exit 1"))).isFalse();
        assertThat(auto(device, script("exit " + ProbeGuest.EXIT_CODE + " # fixed")))
                .isTrue();
        assertThat(begun).hasSize(2);
    }

    @Test
    void aHostWithoutKvmIsNotProbed() throws IOException {
        Path device = directory.resolve("kvm");
        QemuInstallation qemu = script("exit " + ProbeGuest.EXIT_CODE);
        assertThat(auto(device, qemu)).isFalse();
        assertThatThrownBy(() ->
                        accelerators(device).useKvm(Accelerator.KVM, MachineModel.Q35, qemu, NO_PHASES, seconds(5)))
                .hasMessageContaining("there is no " + device);
        assertThat(begun).isEmpty();
    }

    @Test
    void aTornCacheFileIsFoundOutAgain() throws IOException {
        Path device = Files.createFile(directory.resolve("kvm"));
        QemuInstallation qemu = script("exit " + ProbeGuest.EXIT_CODE);
        assertThat(auto(device, qemu)).isTrue();
        Path cached;
        try (var files = Files.list(directory.resolve("qemu"))) {
            cached = files.findFirst().orElseThrow();
        }
        Files.writeString(cached, "{\"key");
        assertThat(auto(device, qemu)).isTrue();
        assertThat(begun).hasSize(2);
    }
}
