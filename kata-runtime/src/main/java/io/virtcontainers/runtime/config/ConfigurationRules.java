// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MachineType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Which settings go together. */
final class ConfigurationRules {
    private static final int MAX_PFLASHES = 2;

    private final Configuration all;

    private ConfigurationRules(Configuration all) {
        this.all = all;
    }

    /** @throws InvalidConfigException at the first that do not */
    static void check(Configuration configuration) {
        ConfigurationRules rules = new ConfigurationRules(configuration);
        rules.checkRoot();
        rules.checkMachine();
        rules.checkMemory();
        rules.checkDisks();
        rules.checkRuntime();
    }

    private void checkRoot() {
        boolean image = all.get(Options.IMAGE).isPresent();
        refuse(
                Options.INITRD,
                image && all.get(Options.INITRD).isPresent(),
                "cannot be together with " + named(Options.IMAGE) + ": give one of both");
        refuse(
                Options.MACHINE_TYPE,
                image && machine().equals("microvm") && !all.get(Options.DISABLE_IMAGE_NVDIMM),
                "has no nvdimm, which " + named(Options.IMAGE) + " needs: set disable_image_nvdimm = true");
        requireSmallerThanMemory(Options.INITRD);
        requireSmallerThanMemory(Options.IMAGE);
    }

    private void requireSmallerThanMemory(ConfigOption<Optional<Path>> option) {
        all.get(option).ifPresent(file -> {
            try {
                long mib = (Files.size(file) >> 20) + 1;
                refuse(
                        option,
                        all.get(Options.DEFAULT_MEMORY) < mib,
                        "does not fit into the memory: " + named(Options.DEFAULT_MEMORY) + " must be more than " + mib);
            } catch (IOException e) {
                throw error(option, "cannot be read: " + e);
            }
        });
    }

    private String machine() {
        return all.get(Options.MACHINE_TYPE);
    }

    private void checkMachine() {
        boolean arm = MachineType.ofHost() == MachineType.VIRT;
        refuse(
                Options.MACHINE_TYPE,
                all.setting(Options.MACHINE_TYPE).isPresent() && machine().equals("virt") != arm,
                "is not for this host's architecture: must be " + (arm ? "virt" : "q35, pc or microvm"));
        needsMachine(Options.ENABLE_IOMMU, all.get(Options.ENABLE_IOMMU), List.of("q35"));
        needsMachine(Options.PCIE_ROOT_PORT, all.get(Options.PCIE_ROOT_PORT) > 0, List.of("q35"));
        List<String> withPci = List.of("q35", "pc", "virt");
        needsMachine(Options.ENABLE_VIRTIO_MEM, all.get(Options.ENABLE_VIRTIO_MEM), withPci);
        needsMachine(Options.PFLASHES, !all.get(Options.PFLASHES).isEmpty(), withPci);
        needsMachine(Options.DEFAULT_BRIDGES, all.get(Options.DEFAULT_BRIDGES) > 1, withPci);
        needsMachine(
                Options.BLOCK_DEVICE_DRIVER,
                all.get(Options.BLOCK_DEVICE_DRIVER).equals("virtio-scsi"),
                withPci);
        needsMachine(Options.SHARED_FS, all.get(Options.SHARED_FS).equals("virtio-fs"), withPci);
        refuse(
                Options.ENABLE_IOMMU_PLATFORM,
                all.get(Options.ENABLE_IOMMU_PLATFORM) && !all.get(Options.ENABLE_IOMMU),
                "needs " + named(Options.ENABLE_IOMMU) + ", to be true");
        List<String> flashes = all.get(Options.PFLASHES);
        refuse(Options.PFLASHES, flashes.size() > MAX_PFLASHES, "are too many: must be at most " + MAX_PFLASHES);
        refuse(
                Options.FIRMWARE,
                all.get(Options.FIRMWARE).isPresent() && !flashes.isEmpty(),
                "cannot be together with " + named(Options.PFLASHES) + ": give one of both");
        for (String flash : flashes) {
            boolean readable = Files.isRegularFile(Path.of(flash)) && Files.isReadable(Path.of(flash));
            refuse(Options.PFLASHES, !readable, "has " + flash + ": must be the paths of readable files");
        }
        int most = all.get(Options.DEFAULT_MAXVCPUS);
        refuse(
                Options.DEFAULT_MAXVCPUS,
                most > 0 && most < all.get(Options.DEFAULT_VCPUS),
                "is less than " + named(Options.DEFAULT_VCPUS) + ": must be at least that, or 0");
    }

    private void needsMachine(ConfigOption<?> option, boolean used, List<String> machines) {
        refuse(
                option,
                used && !machines.contains(machine()),
                "cannot be with " + named(Options.MACHINE_TYPE) + ": must be " + String.join(" or ", machines));
    }

    private void checkMemory() {
        refuse(
                Options.FILE_MEM_BACKEND,
                all.get(Options.FILE_MEM_BACKEND).isPresent() && all.get(Options.ENABLE_HUGEPAGES),
                "cannot be together with " + named(Options.ENABLE_HUGEPAGES) + ": give one of both");
        refuse(
                Options.FILE_MEM_BACKEND,
                all.get(Options.FILE_MEM_BACKEND)
                        .filter(directory -> !Files.isWritable(directory))
                        .isPresent(),
                "cannot be written to by this user: must be the absolute path of a directory that can");
    }

    private void checkDisks() {
        for (ConfigOption<Boolean> option :
                List.of(Options.BLOCK_DEVICE_CACHE_DIRECT, Options.BLOCK_DEVICE_CACHE_NOFLUSH)) {
            refuse(
                    option,
                    all.get(option) && !all.get(Options.BLOCK_DEVICE_CACHE_SET),
                    "needs " + named(Options.BLOCK_DEVICE_CACHE_SET) + ", to be true");
        }
    }

    private void checkRuntime() {
        refuse(
                Options.DISABLE_NEW_NETNS,
                all.get(Options.DISABLE_NEW_NETNS)
                        && !all.get(Options.INTERNETWORKING_MODEL).equals("none"),
                "needs " + named(Options.INTERNETWORKING_MODEL) + ", to be \"none\"");
        refuse(
                Options.ENABLE_TEMPLATE,
                all.get(Options.ENABLE_TEMPLATE) && all.get(Options.IMAGE).isPresent(),
                "needs an initrd, or the built-in agent, in place of " + named(Options.IMAGE));
        refuse(
                Options.ENABLE_TEMPLATE,
                all.get(Options.ENABLE_TEMPLATE)
                        && List.of("virtio-fs", "virtio-9p").contains(all.get(Options.SHARED_FS)),
                "cannot be together with " + named(Options.SHARED_FS)
                        + ": a machine that shares files cannot be cloned");
    }

    private void refuse(ConfigOption<?> option, boolean contradicts, String problem) {
        if (contradicts) {
            throw error(option, problem);
        }
    }

    private InvalidConfigException error(ConfigOption<?> option, String problem) {
        return all.setting(option)
                .map(setting -> ConfigurationFile.error(setting.place(), option, setting.text(), problem))
                .orElseGet(() -> new InvalidConfigException(option + ": " + problem));
    }

    /** Another option with its value, and where that stands. */
    private String named(ConfigOption<?> option) {
        return all.setting(option)
                .map(setting -> option.key() + " = " + setting.text() + " (line "
                        + setting.place().replaceFirst(".*:", "") + ")")
                .orElseGet(() -> option.key() + ", by default " + shown(option));
    }

    private static <T> TomlValue shown(ConfigOption<T> option) {
        return option.written(option.standard());
    }
}
