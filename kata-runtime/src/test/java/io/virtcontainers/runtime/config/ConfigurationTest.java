// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.AgentChannel;
import io.virtcontainers.BlockConfig;
import io.virtcontainers.BlockDriver;
import io.virtcontainers.GuestRoot;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MachineType;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NetworkModel;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SharedFs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files are found, read, mapped to the library, and written again. */
class ConfigurationTest {
    private static final Path FILE = Path.of("/x/configuration.toml");

    @TempDir
    Path directory;

    private static Configuration parse(String text) {
        return ConfigurationFile.parse(FILE, text);
    }

    private static Configuration qemu(String keys) {
        return parse("[hypervisor.qemu]\n" + keys);
    }

    @Test
    void theGivenFileThenTheFirstOfTheDefaultOnesThenDefaults() throws IOException {
        Path one = Files.writeString(directory.resolve("one"), "[hypervisor.qemu]\ndefault_memory = 101\n");
        Path two = Files.writeString(directory.resolve("two"), "[hypervisor.qemu]\ndefault_memory = 102\n");
        Path link = Files.createSymbolicLink(directory.resolve("link"), one);
        List<Path> defaults = List.of(directory.resolve("none"), link, two);

        Configuration given = ConfigurationFile.load(Optional.of(two), defaults);
        assertThat(given.get(Options.DEFAULT_MEMORY)).isEqualTo(102);
        Configuration found = ConfigurationFile.load(Optional.empty(), defaults);
        assertThat(found.get(Options.DEFAULT_MEMORY)).isEqualTo(101);
        assertThat(found.file()).contains(one.toRealPath());
        Configuration none = ConfigurationFile.load(Optional.empty(), List.of());
        assertThat(none.file()).isEmpty();
        assertThat(none.get(Options.DEFAULT_MEMORY)).isEqualTo(2048);
        assertThat(ConfigurationFile.defaultPaths())
                .containsExactly(
                        Path.of("/etc/kata-containers/configuration.toml"),
                        Path.of("/usr/share/defaults/kata-containers/configuration.toml"));
    }

    @Test
    void everyOptionIsDeclaredOnceAndItsDefaultIsAllowed() throws BadValueException {
        Set<String> names = new HashSet<>();
        for (ConfigOption<?> option : Options.all()) {
            assertThat(names.add(option.toString())).as("%s", option).isTrue();
            option.annotation()
                    .ifPresent(name -> assertThat(names.add(name)).as(name).isTrue());
            option.environment()
                    .ifPresent(name -> assertThat(names.add(name)).as(name).isTrue());
            assertThat(readAgain(option)).isEqualTo(option.standard());
        }
        assertThat(Options.all()).hasSizeGreaterThan(70);
    }

    private static <T> T readAgain(ConfigOption<T> option) throws BadValueException {
        return option.read(option.written(option.standard()));
    }

    @Test
    void theDefaultFileHasEveryOptionAndChangesNothing() {
        String text = ConfigurationText.defaultFile();
        assertThat(parse(text).settings()).isEmpty();
        String all = text.replaceAll("(?m)^#(?! )", "");
        Configuration configuration = parse(all);
        assertThat(configuration.settings()).hasSize((int)
                Options.all().stream().filter(ConfigOption::isInFile).count());
        configuration
                .settings()
                .forEach((option, setting) ->
                        assertThat(setting.value()).as("%s", option).isEqualTo(option.standard()));
        assertThat(text.lines()).allMatch(line -> line.length() <= 105);
    }

    @Test
    void whatIsWrittenIsReadAgain() {
        Configuration configuration = parse("""
                [hypervisor.qemu]
                machine_type = "pc"
                kernel_params = "a=1  b='x'"
                cpu_features = "pmu=off,x"
                default_vcpus = -1
                enable_swap = false
                virtio_fs_extra_args = ["-o", "x\\"y"]
                entropy_source = "/dev/urandom"
                [runtime]
                enable_debug = true
                """);
        String written = configuration.toToml();
        Configuration again = parse(written);
        assertThat(again.toToml()).isEqualTo(written);
        for (ConfigOption<?> option : Options.all()) {
            assertThat((Object) again.get(option)).as("%s", option).isEqualTo(configuration.get(option));
        }
        assertThat(Configuration.defaults().toToml()).isEmpty();
    }

    @Test
    void emptyStringsAndZeroMeanTheDefault() {
        Configuration configuration = qemu("path = \"\"\nmachine_type = \"\"\nmemory_slots = 0\ndefault_bridges = 0\n");
        assertThat(configuration.get(Options.PATH)).isEmpty();
        assertThat(configuration.get(Options.MACHINE_TYPE)).isEqualTo("q35");
        assertThat(configuration.get(Options.MEMORY_SLOTS)).isEqualTo(10);
        assertThat(configuration.get(Options.DEFAULT_BRIDGES)).isEqualTo(1);
    }

    @Test
    void defaultsMakeAMachineThatCanGrow() {
        SandboxConfig sandbox =
                Configuration.defaults().applyTo(SandboxConfig.builder("x")).build();
        assertThat(sandbox.vcpus()).isEqualTo(1);
        assertThat(sandbox.memory()).isEqualTo(MemorySize.gib(2));
        assertThat(sandbox.template()).isFalse();
        HypervisorConfig hypervisor = sandbox.hypervisor();
        assertThat(hypervisor.root()).isEqualTo(GuestRoot.builtIn());
        assertThat(hypervisor.machine().type()).isEqualTo(MachineType.ofHost());
        assertThat(hypervisor.machine().maxVcpus())
                .isEqualTo(Math.min(240, Runtime.getRuntime().availableProcessors()));
        assertThat(hypervisor.memory().max())
                .hasValueSatisfying(max -> assertThat(max).isGreaterThan(MemorySize.gib(2)));
        assertThat(hypervisor.memory().locked()).isFalse();
        assertThat(hypervisor.agentChannel()).isEqualTo(AgentChannel.AUTO);
        assertThat(hypervisor.kernelParameters()).isEmpty();
        assertThat(Configuration.defaults().networkModel()).contains(NetworkModel.TCFILTER);
    }

    @Test
    void everySettingReachesTheLibrary() throws IOException {
        Path program = Path.of("/bin/sh");
        Path file = Files.writeString(directory.resolve("file"), "x");
        Configuration configuration = parse("""
                [hypervisor.qemu]
                path = "/bin/sh"
                kernel = "FILE"
                initrd = "FILE"
                kernel_params = "a=1 b"
                firmware = "FILE"
                machine_accelerators = "nosmm,x=y"
                cpu_features = "pmu=off"
                default_vcpus = 1
                default_bridges = 2
                default_memory = 300
                memory_slots = 4
                enable_virtio_mem = true
                shared_fs = "virtio-fs"
                virtio_fs_daemon = "/bin/sh"
                virtio_fs_extra_args = ["-d"]
                virtio_fs_cache = "none"
                block_device_driver = "virtio-scsi"
                block_device_cache_set = true
                block_device_cache_noflush = true
                enable_iothreads = true
                enable_mem_prealloc = true
                enable_iommu = true
                enable_iommu_platform = true
                file_mem_backend = "/dev/shm"
                enable_swap = false
                enable_debug = true
                use_vsock = false
                pcie_root_port = 3
                disable_vhost_net = true
                entropy_source = "/dev/urandom"
                [agent.kata]
                enable_debug = true
                [runtime]
                internetworking_model = "macvtap"
                """.replace("FILE", file.toString()));
        SandboxConfig sandbox =
                configuration.applyTo(SandboxConfig.builder("x")).build();
        HypervisorConfig hypervisor = sandbox.hypervisor();
        assertThat(sandbox.memory()).isEqualTo(MemorySize.mib(300));
        assertThat(hypervisor.binary()).contains(program);
        assertThat(hypervisor.kernel()).contains(file);
        assertThat(hypervisor.root()).isEqualTo(GuestRoot.initrd(file));
        assertThat(hypervisor.kernelParameters()).containsExactly("debug", "agent.log=debug", "a=1", "b");
        assertThat(hypervisor.agentChannel()).isEqualTo(AgentChannel.VIRTIO_SERIAL);
        var machine = hypervisor.machine();
        assertThat(machine.firmware()).contains(file);
        assertThat(machine.options()).containsExactly("nosmm", "x=y");
        assertThat(machine.cpuFeatures()).containsExactly("pmu=off");
        assertThat(machine.bridges()).isEqualTo(2);
        assertThat(machine.pcieRootPorts()).isEqualTo(3);
        assertThat(machine.iommu() && machine.iommuPlatform() && machine.ioThreads())
                .isTrue();
        assertThat(machine.vhostNet()).isFalse();
        assertThat(machine.entropySource()).contains(Path.of("/dev/urandom"));
        assertThat(hypervisor.block()).isEqualTo(new BlockConfig(BlockDriver.VIRTIO_SCSI, false, true));
        var memory = hypervisor.memory();
        assertThat(memory.slots()).isEqualTo(4);
        assertThat(memory.preallocate() && memory.locked() && memory.virtioMem())
                .isTrue();
        assertThat(memory.fileDirectory()).contains(Path.of("/dev/shm"));
        var share = hypervisor.sharedFs();
        assertThat(share.type()).isEqualTo(SharedFs.VIRTIO_FS);
        assertThat(share.daemon()).contains(program);
        assertThat(share.daemonArguments()).containsExactly("-d");
        assertThat(share.cache()).isEqualTo("none");
        assertThat(configuration.networkModel()).contains(NetworkModel.MACVTAP);
    }

    @Test
    void otherKindsOfMachines() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "x");
        Path flash = Files.writeString(directory.resolve("flash"), "x");
        HypervisorConfig image = qemu("image = \"" + file + "\"\npflashes = [\"" + flash + "\"]\n")
                .hypervisor();
        assertThat(image.root()).isEqualTo(GuestRoot.nvdimm(file));
        assertThat(image.machine().pflash()).containsExactly(flash);
        assertThat(qemu("image = \"" + file + "\"\ndisable_image_nvdimm = true\n")
                        .hypervisor()
                        .root())
                .isEqualTo(GuestRoot.image(file));
        HypervisorConfig microvm =
                qemu("machine_type = \"microvm\"\nenable_hugepages = true\n").hypervisor();
        assertThat(microvm.machine().maxVcpus()).isZero();
        assertThat(microvm.memory().max()).isEmpty();
        assertThat(microvm.memory().hugepages()).isTrue();
        assertThat(microvm.sharedFs().type()).isEqualTo(SharedFs.NONE);
        HypervisorConfig plan9 = qemu("machine_type = \"microvm\"\nshared_fs = \"virtio-9p\"\nmsize_9p = 65536\n")
                .hypervisor();
        assertThat(plan9.sharedFs().type()).isEqualTo(SharedFs.VIRTIO_9P);
        assertThat(plan9.sharedFs().msize9p()).isEqualTo(65536);
        SandboxConfig all = qemu("default_vcpus = -1\nshared_fs = \"none\"\n[factory]\nenable_template = true")
                .applyTo(SandboxConfig.builder("x"))
                .build();
        assertThat(all.vcpus()).isEqualTo(Math.min(240, Runtime.getRuntime().availableProcessors()));
        assertThat(all.template()).isTrue();
        assertThat(parse("[runtime]\ninternetworking_model = \"none\"").networkModel())
                .isEmpty();
    }
}
