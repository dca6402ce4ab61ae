// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QemuCommandLineTest {
    @TempDir
    Path firmware;

    private QemuInstallation qemu;

    @BeforeEach
    void makeFirmware() throws Exception {
        Files.createFile(firmware.resolve("qboot.rom"));
        qemu = new QemuInstallation(Path.of("/usr/bin/qemu"), "7.2.0", List.of(Path.of("/nowhere"), firmware));
    }

    private static VmConfig config(String directory, HypervisorConfig settings) {
        return config(directory, false, settings);
    }

    private static VmConfig config(String directory, boolean detached, HypervisorConfig settings) {
        return new VmConfig(
                "demo",
                Path.of(directory),
                2,
                MemorySize.mib(256),
                detached,
                settings,
                new GuestImage(Path.of("/cache/vmlinux"), Path.of("/cache/initrd"), "6.1"),
                List.of("agent.log=debug"));
    }

    private List<String> line(boolean kvm, VmConfig config) {
        return QemuCommandLine.of(qemu, kvm, config, new AgentDevices.Serial(false));
    }

    @Test
    void isTheTunedRecipe() {
        HypervisorConfig settings =
                HypervisorConfig.builder().kernelParameters("user=1", "panic=5").build();
        assertThat(String.join("\n", line(false, config("/run/vc/demo", settings))))
                .isEqualTo("""
                        /usr/bin/qemu
                        -name
                        sandbox-demo
                        -pidfile
                        /run/vc/demo/qemu.pid
                        -nodefaults
                        -no-user-config
                        -display
                        none
                        -no-reboot
                        -sandbox
                        on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
                        -M
                        q35,sata=off,smbus=off,vmport=off
                        -accel
                        tcg
                        -cpu
                        max,-la57,-erms
                        -smp
                        cpus=2
                        -m
                        256M
                        -bios
                        %s
                        -kernel
                        /cache/vmlinux
                        -initrd
                        /cache/initrd
                        -append
                        console=ttyS0 quiet cryptomgr.notests noreplace-smp init_on_alloc=0 no_timer_check panic=-1 agent.log=debug user=1 panic=5
                        -chardev
                        socket,id=qmp,server=off,path=/run/vc/demo/qmp.sock
                        -mon
                        chardev=qmp,mode=control
                        -chardev
                        socket,id=console,server=off,path=/run/vc/demo/console.sock
                        -serial
                        chardev:console
                        -device
                        pci-bridge,id=pci-bridge-0,bus=pcie.0,addr=02,chassis_nr=1,shpc=off
                        -device
                        virtio-serial-pci,id=serial0,bus=pci-bridge-0,addr=1f,max_ports=4,disable-legacy=on
                        -chardev
                        socket,id=agent0,server=on,wait=off,path=/run/vc/demo/agent.sock
                        -device
                        virtserialport,chardev=agent0,name=agent.channel.0
                        -device
                        pvpanic""".formatted(firmware.resolve("qboot.rom")));
    }

    @Test
    void aDetachedMachineHasASecondMonitorAndTwentyPorts() {
        List<String> line = line(false, config("/run/vc/d", true, HypervisorConfig.defaults()));
        assertThat(line)
                .containsSubsequence(
                        "socket,id=control,server=on,wait=off,path=/run/vc/d/control.sock",
                        "-mon",
                        "chardev=control,mode=control")
                .contains("virtio-serial-pci,id=serial0,bus=pci-bridge-0,addr=1f,max_ports=23,disable-legacy=on")
                .containsSubsequence(
                        "socket,id=agent0,server=on,wait=off,path=/run/vc/d/agent.sock",
                        "virtserialport,chardev=agent0,name=agent.channel.0",
                        "socket,id=agent19,server=on,wait=off,path=/run/vc/d/agent19.sock",
                        "virtserialport,chardev=agent19,name=agent.channel.19")
                .noneMatch(word -> word.contains("agent.channel.20"));
    }

    @Test
    void yamuxHasTheSamePortsAndTellsTheAgentToUseThem() {
        List<String> line = QemuCommandLine.of(
                qemu, false, config("/run/vc/d", HypervisorConfig.defaults()), new AgentDevices.Serial(true));
        assertThat(line)
                .containsSubsequence(
                        "virtio-serial-pci,id=serial0,bus=pci-bridge-0,addr=1f,max_ports=4,disable-legacy=on",
                        "socket,id=yamux0,server=on,wait=off,path=/run/vc/d/agent.sock",
                        "virtserialport,chardev=yamux0,name=agent.channel.0")
                .anyMatch(word -> word.endsWith(" panic=-1 agent.use_vsock=false agent.log=debug"));
        assertThat(AgentDevices.of(line)).isEqualTo(new AgentDevices.Serial(true));
    }

    @Test
    void vsockTakesThePlaceOfTheSerialPortsBehindTheBridge() {
        for (boolean detached : new boolean[] {false, true}) {
            List<String> line = QemuCommandLine.of(
                    qemu,
                    false,
                    config("/run/vc/d", detached, HypervisorConfig.defaults()),
                    new AgentDevices.Vsock(-2));
            assertThat(line)
                    .contains(
                            "vhost-vsock-pci,id=vsock0,bus=pci-bridge-0,addr=1f,guest-cid=4294967294,disable-legacy=on")
                    .anyMatch(word -> word.endsWith(" panic=-1 agent.use_vsock=true agent.log=debug"))
                    .noneMatch(word -> word.contains("serial0") || word.contains("agent.sock"));
            assertThat(AgentDevices.of(line)).isEqualTo(new AgentDevices.Vsock(-2));
        }
    }

    @Test
    void whatTheAgentsDevicesAreIsReadFromTheCommandLine() {
        List<String> line = line(false, config("/run/vc/d", HypervisorConfig.defaults()));
        assertThat(AgentDevices.of(line)).isEqualTo(new AgentDevices.Serial(false));
    }

    @Test
    void aVsockAddressIsNoneOfTheReservedOnes() {
        assertThat(java.util.stream.Stream.generate(AgentDevices.Vsock::random).limit(1000))
                .allSatisfy(device ->
                        assertThat(Integer.toUnsignedLong(device.cid())).isBetween(3L, 0xffff_fffeL))
                .doesNotHaveDuplicates();
    }

    @Test
    void withKvmTheGuestHasTheHostsProcessor() {
        List<String> line = line(true, config("/run/vc/demo", HypervisorConfig.defaults()));
        assertThat(line).containsSubsequence("-accel", "kvm", "-cpu", "host").doesNotContain("tcg");
    }

    @Test
    void withoutQbootTheDefaultFirmwareIsUsed() throws Exception {
        Files.delete(firmware.resolve("qboot.rom"));
        assertThat(line(false, config("/run/vc/demo", HypervisorConfig.defaults())))
                .doesNotContain("-bios");
    }

    @Test
    void commasInPathsAreDoubledWhereQemuSplitsAtThem() {
        List<String> line = line(false, config("/run/a,b", HypervisorConfig.defaults()));
        assertThat(line)
                .contains("socket,id=qmp,server=off,path=/run/a,,b/qmp.sock")
                .contains("socket,id=console,server=off,path=/run/a,,b/console.sock")
                .contains("socket,id=agent0,server=on,wait=off,path=/run/a,,b/agent.sock")
                .contains("/run/a,b/qemu.pid");
    }

    @Test
    void aKernelCommandLineThatLinuxWouldCutOffIsRefused() {
        HypervisorConfig settings =
                HypervisorConfig.builder().kernelParameters("x".repeat(2000)).build();
        assertThatThrownBy(() -> line(false, config("/run/vc/demo", settings)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("2047");
    }

    @Test
    void aSocketPathThatLinuxDoesNotTakeIsRefused() {
        int name = 107 - "//console.sock".length();
        new SandboxFiles(Path.of("/" + "x".repeat(name))).requireShortSocketPaths();
        SandboxFiles tooLong = new SandboxFiles(Path.of("/" + "x".repeat(name - 1) + "ü"));
        assertThatThrownBy(tooLong::requireShortSocketPaths)
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("has 108 bytes")
                .hasMessageContaining("shorter");
    }
}
