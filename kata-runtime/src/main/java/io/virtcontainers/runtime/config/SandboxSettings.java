// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import io.virtcontainers.AgentChannel;
import io.virtcontainers.BlockConfig;
import io.virtcontainers.BlockDriver;
import io.virtcontainers.GuestMemoryConfig;
import io.virtcontainers.GuestRoot;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MachineConfig;
import io.virtcontainers.MachineType;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NetworkModel;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SharedFs;
import io.virtcontainers.SharedFsConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/** What options mean to the library. */
final class SandboxSettings {
    private static final int MAX_VCPUS = 240;
    private static final Path MEMORY = Path.of("/proc/meminfo");

    /** Writable for root only, without a call of the C library. */
    private static final Path FOR_ROOT = Path.of("/proc/1/oom_score_adj");

    private SandboxSettings() {}

    static SandboxConfig.Builder apply(Configuration configuration, SandboxConfig.Builder sandbox) {
        return sandbox.vcpus(vcpus(configuration))
                .memory(memory(configuration))
                .hypervisor(hypervisor(configuration))
                .template(configuration.get(Options.ENABLE_TEMPLATE));
    }

    private static int vcpus(Configuration configuration) {
        int host = hostProcessors();
        int wanted = configuration.get(Options.DEFAULT_VCPUS);
        return wanted < 0 ? host : Math.min(wanted, host);
    }

    private static int hostProcessors() {
        return Math.min(Runtime.getRuntime().availableProcessors(), MAX_VCPUS);
    }

    private static MemorySize memory(Configuration configuration) {
        return MemorySize.mib(configuration.get(Options.DEFAULT_MEMORY));
    }

    static Optional<NetworkModel> networkModel(Configuration configuration) {
        return switch (configuration.get(Options.INTERNETWORKING_MODEL)) {
            case "none" -> Optional.empty();
            case "macvtap" -> Optional.of(NetworkModel.MACVTAP);
            default -> Optional.of(NetworkModel.TCFILTER);
        };
    }

    static HypervisorConfig hypervisor(Configuration configuration) {
        HypervisorConfig.Builder hypervisor = HypervisorConfig.builder()
                .root(root(configuration))
                .kernelParameters(kernelParameters(configuration).toArray(String[]::new))
                .agentChannel(configuration.get(Options.USE_VSOCK) ? AgentChannel.AUTO : AgentChannel.VIRTIO_SERIAL)
                .machine(machine(configuration))
                .memory(guestMemory(configuration))
                .block(block(configuration))
                .sharedFs(sharedFs(configuration));
        configuration.get(Options.PATH).ifPresent(hypervisor::binary);
        configuration.get(Options.KERNEL).ifPresent(hypervisor::kernel);
        return hypervisor.build();
    }

    private static GuestRoot root(Configuration configuration) {
        boolean nvdimm = !configuration.get(Options.DISABLE_IMAGE_NVDIMM);
        return configuration
                .get(Options.INITRD)
                .map(GuestRoot::initrd)
                .or(() -> configuration.get(Options.IMAGE).map(image -> new GuestRoot.Image(image, nvdimm)))
                .orElseGet(GuestRoot::builtIn);
    }

    /** The file's own at the end: the last one of a name counts. */
    private static List<String> kernelParameters(Configuration configuration) {
        List<String> parameters = new ArrayList<>();
        if (configuration.get(Options.ENABLE_DEBUG)) {
            parameters.add("debug");
        }
        if (configuration.get(Options.AGENT_DEBUG)) {
            parameters.add("agent.log=debug");
        }
        configuration
                .setting(Options.CONTAINER_PIPE_SIZE)
                .ifPresent(size ->
                        parameters.add("agent.container_pipe_size=" + configuration.get(Options.CONTAINER_PIPE_SIZE)));
        parameters.addAll(configuration.get(Options.KERNEL_PARAMS));
        return parameters;
    }

    private static BlockConfig block(Configuration configuration) {
        BlockDriver driver = configuration.get(Options.BLOCK_DEVICE_DRIVER).equals("virtio-scsi")
                ? BlockDriver.VIRTIO_SCSI
                : BlockDriver.VIRTIO_BLK;
        return new BlockConfig(
                driver,
                configuration.get(Options.BLOCK_DEVICE_CACHE_DIRECT),
                configuration.get(Options.BLOCK_DEVICE_CACHE_NOFLUSH));
    }

    private static MachineType machineType(Configuration configuration) {
        return configuration.setting(Options.MACHINE_TYPE).isEmpty()
                ? MachineType.ofHost()
                : MachineType.valueOf(configuration.get(Options.MACHINE_TYPE).toUpperCase(Locale.ROOT));
    }

    private static MachineConfig machine(Configuration configuration) {
        MachineType type = machineType(configuration);
        MachineConfig.Builder machine = MachineConfig.builder()
                .type(type)
                .options(configuration.get(Options.MACHINE_ACCELERATORS).toArray(String[]::new))
                .cpuFeatures(configuration.get(Options.CPU_FEATURES).toArray(String[]::new))
                .bridges(configuration.get(Options.DEFAULT_BRIDGES))
                .pcieRootPorts(configuration.get(Options.PCIE_ROOT_PORT))
                .iommu(configuration.get(Options.ENABLE_IOMMU))
                .iommuPlatform(configuration.get(Options.ENABLE_IOMMU_PLATFORM))
                .ioThreads(configuration.get(Options.ENABLE_IOTHREADS))
                .vhostNet(!configuration.get(Options.DISABLE_VHOST_NET))
                .pflash(configuration.get(Options.PFLASHES).stream()
                        .map(Path::of)
                        .toArray(Path[]::new));
        if (type != MachineType.MICROVM) { // nothing can be plugged into that
            int most = configuration.get(Options.DEFAULT_MAXVCPUS);
            machine.maxVcpus(
                    Math.max(vcpus(configuration), most == 0 ? hostProcessors() : Math.min(most, hostProcessors())));
        }
        configuration.get(Options.FIRMWARE).ifPresent(machine::firmware);
        configuration.get(Options.ENTROPY_SOURCE).ifPresent(machine::entropySource);
        return machine.build();
    }

    private static GuestMemoryConfig guestMemory(Configuration configuration) {
        GuestMemoryConfig.Builder memory = GuestMemoryConfig.builder()
                .slots(configuration.get(Options.MEMORY_SLOTS))
                .virtioMem(configuration.get(Options.ENABLE_VIRTIO_MEM))
                .hugepages(configuration.get(Options.ENABLE_HUGEPAGES))
                .preallocate(configuration.get(Options.ENABLE_MEM_PREALLOC))
                .locked(!configuration.get(Options.ENABLE_SWAP));
        configuration.get(Options.FILE_MEM_BACKEND).ifPresent(memory::fileDirectory);
        if (machineType(configuration) != MachineType.MICROVM) {
            withHostMemory(size -> {
                if (size.compareTo(memory(configuration)) > 0) {
                    memory.max(size);
                }
            });
        }
        return memory.build();
    }

    /** The most that a guest can have is what the host has; where that is not known, the guest does not grow. */
    private static void withHostMemory(Consumer<MemorySize> use) {
        try {
            for (String line : Files.readAllLines(MEMORY)) {
                String[] words = line.split(" +", -1);
                if (words.length > 1 && words[0].equals("MemTotal:")) {
                    use.accept(MemorySize.mib(Long.parseLong(words[1]) >> 10));
                }
            }
        } catch (IOException | NumberFormatException e) {
            return;
        }
    }

    private static SharedFsConfig sharedFs(Configuration configuration) {
        SharedFsConfig standard = SharedFsConfig.defaults();
        SharedFs type = switch (configuration.get(Options.SHARED_FS)) {
            case "virtio-fs" -> SharedFs.VIRTIO_FS;
            case "virtio-9p" -> SharedFs.VIRTIO_9P;
            case "none" -> SharedFs.NONE;
            default ->
                Files.isWritable(FOR_ROOT) && machineType(configuration) != MachineType.MICROVM
                        ? SharedFs.VIRTIO_FS
                        : SharedFs.NONE;
        };
        return new SharedFsConfig(
                type,
                configuration.get(Options.VIRTIO_FS_DAEMON),
                configuration.get(Options.VIRTIO_FS_CACHE),
                standard.daxSize(),
                configuration.get(Options.VIRTIO_FS_EXTRA_ARGS),
                configuration.get(Options.MSIZE_9P));
    }
}
