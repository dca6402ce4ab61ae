// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.Accelerator;
import io.virtcontainers.AgentChannel;
import io.virtcontainers.HostCheck;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.SharedFsConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On hosts made of files, as both answers must be seen. */
class QemuHostChecksTest {
    private static final String DEVICES = "virtio-serial-pci virtserialport pci-bridge virtio-blk-pci virtio-net-pci"
            + " pvpanic vhost-vsock-pci vhost-user-fs-pci virtio-rng-pci";

    @TempDir
    Path directory;

    private ProcessLauncher launcher;

    @BeforeEach
    void open() {
        launcher = new ProcessLauncher();
    }

    @AfterEach
    void close() {
        launcher.close();
    }

    private Path qemu(String devices, int exitOfProbe) throws IOException {
        Path file = Files.writeString(
                directory.resolve("qemu"),
                "#!/bin/sh\nDEVICES=' " + devices
                        + " '\ncase \"$*\" in\n*-version*) echo 'QEMU emulator version 8.2.1';;\n'-L help') echo "
                        + directory
                        + ";;\n'-device '*,help) d=${2%,help}\ncase \"$DEVICES\" in *\" $d \"*) echo \"$d options:\";; *) echo \"Device '$d' not found\";; esac"
                        + ";;\n*) exit " + exitOfProbe + ";;\nesac\n");
        return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
    }

    private void host(String flags, String... modules) throws IOException {
        Files.createDirectories(directory.resolve("proc"));
        Files.writeString(
                directory.resolve("proc/cpuinfo"),
                "vendor_id\t: " + (flags.contains("svm") ? "AuthenticAMD" : "X") + "\nflags\t\t: " + flags
                        + "\nbugs\t: x\n");
        for (String module : modules) {
            Files.createDirectories(directory.resolve("sys/module").resolve(module));
        }
    }

    private Path device(String name) throws IOException {
        Files.createDirectories(directory.resolve("dev/net"));
        return Files.writeString(directory.resolve("dev").resolve(name), "");
    }

    private List<HostCheck> check(HypervisorConfig settings) {
        HostFacts facts = new HostFacts(directory.resolve("facts"));
        return new QemuHostChecks(
                        directory,
                        new QemuInstallations(launcher, facts),
                        new Accelerators(directory.resolve("dev/kvm"), new AcceleratorProbe(launcher), facts),
                        new AgentChannels(directory.resolve("dev/vhost-vsock")))
                .of(settings, seconds(30));
    }

    private static HostCheck named(List<HostCheck> checks, String name) {
        return checks.stream()
                .filter(check -> check.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aHostThatHasAll() throws IOException {
        host("fpu vmx lm sse4_1", "kvm", "kvm_intel", "vhost", "vhost_net", "vhost_vsock");
        for (String name : List.of("kvm", "vhost-vsock", "vhost-net", "net/tun")) {
            device(name);
        }
        Files.writeString(directory.resolve("qboot.rom"), "");
        Path virtiofsd = Files.copy(Path.of("/bin/true"), directory.resolve("virtiofsd"));
        HypervisorConfig settings = HypervisorConfig.builder()
                .binary(qemu(DEVICES, ProbeGuest.EXIT_CODE))
                .accelerator(Accelerator.KVM)
                .agentChannel(AgentChannel.VSOCK)
                .sharedFs(new SharedFsConfig(
                        SharedFs.VIRTIO_FS,
                        Optional.of(virtiofsd),
                        "auto",
                        SharedFsConfig.defaults().daxSize(),
                        List.of(),
                        8192))
                .build();
        List<HostCheck> checks = check(settings);
        assertThat(checks).allMatch(check -> check.outcome() == HostCheck.Outcome.OK);
        assertThat(checks.stream().map(HostCheck::name))
                .containsExactly(
                        "processor",
                        "modules",
                        "qemu",
                        "qemu devices",
                        "firmware",
                        "kvm",
                        "vsock",
                        directory + "/dev/vhost-net",
                        directory + "/dev/net/tun",
                        "virtiofsd",
                        "nsenter",
                        "unshare");
        assertThat(named(checks, "kvm").finding()).isEqualTo("a test guest has booted");
        assertThat(named(checks, "qemu").toString()).isEqualTo("ok       qemu: " + directory + "/qemu, version 8.2.1");
    }

    @Test
    void aHostThatHasNothingButQemuRunsSandboxesAndIsToldWhatItLacks() throws IOException {
        host("fpu lm");
        List<HostCheck> checks =
                check(HypervisorConfig.builder().binary(qemu(DEVICES, 1)).build());
        assertThat(checks).noneMatch(HostCheck::isFailed);
        assertThat(named(checks, "processor").finding())
                .startsWith("lacks vmx (Intel) or svm (AMD), sse4_1, so guests are emulated: switch virtualization on");
        assertThat(named(checks, "modules").finding())
                .contains("(\"modprobe -a kvm kvm_intel vhost vhost_net vhost_vsock\")");
        assertThat(named(checks, "firmware").finding()).contains("install QEMU's qboot");
        assertThat(named(checks, "kvm").finding()).startsWith("guests are emulated, several times slower: there is no");
        assertThat(named(checks, "vsock").finding()).contains("virtio-serial").contains("modprobe vhost_vsock");
        assertThat(named(checks, directory + "/dev/net/tun").finding())
                .isEqualTo("is not there, so the guest can have no card of a network namespace: load its module as root"
                        + " (\"modprobe tun\")");
    }

    @Test
    void whatTheSettingsInsistOnMustBeThere() throws IOException {
        host("fpu svm lm sse4_1", "kvm");
        device("kvm");
        HypervisorConfig settings = HypervisorConfig.builder()
                .binary(qemu(DEVICES.replace("virtio-blk-pci ", ""), 1))
                .accelerator(Accelerator.KVM)
                .agentChannel(AgentChannel.VSOCK)
                .sharedFs(new SharedFsConfig(
                        SharedFs.VIRTIO_FS,
                        Optional.of(Path.of("/no/virtiofsd")),
                        "auto",
                        SharedFsConfig.defaults().daxSize(),
                        List.of(),
                        8192))
                .build();
        List<HostCheck> checks = check(settings);
        assertThat(checks.stream().filter(HostCheck::isFailed).map(HostCheck::name))
                .containsExactly("qemu devices", "kvm", "vsock", "virtiofsd");
        assertThat(named(checks, "qemu devices").finding())
                .isEqualTo(directory + "/qemu lacks virtio-blk-pci: install a complete QEMU (\"apt install"
                        + " qemu-system-x86\")");
        assertThat(named(checks, "kvm").finding())
                .contains("QEMU ended with code 1")
                .contains("accelerator AUTO");
        assertThat(named(checks, "modules").finding()).contains("kvm_amd");
        assertThat(named(checks, "virtiofsd").finding())
                .contains("/no/virtiofsd")
                .contains("install it");
    }

    @Test
    void aMissingQemuIsNamedWithItsPackage() throws IOException {
        host("fpu vmx lm sse4_1");
        List<HostCheck> checks = check(HypervisorConfig.builder()
                .binary(directory.resolve("none"))
                .accelerator(Accelerator.TCG)
                .build());
        assertThat(named(checks, "qemu").isFailed()).isTrue();
        assertThat(named(checks, "qemu").finding()).contains("apt install qemu-system-x86");
        assertThat(checks.stream().map(HostCheck::name)).doesNotContain("processor", "kvm");
    }
}
