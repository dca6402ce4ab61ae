// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import io.virtcontainers.GuestMemoryConfig;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.MachineKey;
import io.virtcontainers.spi.MachineSize;
import io.virtcontainers.spi.MemoryImage;
import io.virtcontainers.spi.VmConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/** Which machines can be saved and cloned, and which can go on from the same saved state. */
final class TemplateRules {
    /** Changes with whatever makes older states useless. */
    private static final String FORMAT = "state 1";

    private static final Path NOWHERE = Path.of("/nowhere");

    private TemplateRules() {}

    /** The machine as it is in every clone: without its own name and places. */
    static VmConfig anonymous(VmConfig config) {
        return config.of("template", NOWHERE).withMemoryImage(new MemoryImage.Template(NOWHERE.resolve("memory")));
    }

    /** So large are all machines of a family for its key: any that can grow can do so from here. */
    static VmConfig smallest(VmConfig config) {
        return config.withSize(new MachineSize(1, MemorySize.mib(1)));
    }

    /** @throws UnsupportedException with what hinders it */
    static void requireSavable(VmConfig config) {
        HypervisorConfig settings = config.settings();
        GuestMemoryConfig memory = settings.memory();
        refuse(!config.cards().isEmpty(), "a network card, whose address would be in all clones");
        refuse(settings.user().isPresent(), "a hypervisor that runs as another user");
        refuse(config.image().disk().isPresent(), "a guest root on a disk");
        refuse(
                memory.hugepages()
                        || memory.preallocate()
                        || memory.locked()
                        || memory.virtioMem()
                        || memory.persistent().bytes() > 0
                        || memory.balloon()
                        || memory.fileDirectory().isPresent(),
                "memory that is not plain");
        refuse(!MachineModel.of(settings.machine().type()).hasPci(), "the machine MICROVM");
        refuse(settings.machine().iommu(), "an IOMMU");
        refuse(config.disks().stream().anyMatch(disk -> !disk.disk().readOnly()), "a disk that can be written");
    }

    static void requireSavable(AgentChannels.Choice channel) {
        refuse(channel.vsock(), "the agent's channel vsock, whose address is a part of the machine");
    }

    private static void refuse(boolean hindered, String what) {
        if (hindered) {
            throw new UnsupportedException("a machine that is cloned cannot have " + what);
        }
    }

    /**
     * @param commandLine of the {@link #anonymous} machine
     * @param ofSmallest that of the {@link #smallest} of its family
     */
    static MachineKey key(QemuInstallation qemu, VmConfig config, List<String> commandLine, List<String> ofSmallest) {
        return new MachineKey(
                digest(qemu, config, ofSmallest),
                new MachineSize(config.vcpus(), config.memory()),
                digest(qemu, config, commandLine),
                "QEMU " + qemu.version() + " " + stamp(qemu.binary()));
    }

    private static String digest(QemuInstallation qemu, VmConfig config, List<String> commandLine) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            add(digest, FORMAT);
            add(digest, stamp(config.image().kernel()));
            config.image().initrd().ifPresent(initrd -> add(digest, stamp(initrd)));
            qemu.qboot().ifPresent(rom -> add(digest, stamp(rom)));
            config.disks().forEach(disk -> add(digest, stamp(disk.disk().image())));
            commandLine.forEach(argument -> add(digest, argument));
            return HexFormat.of().formatHex(digest.digest(), 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static void add(MessageDigest digest, String text) {
        digest.update(text.getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
    }

    private static String stamp(Path file) {
        try {
            return file + " " + Files.size(file) + " " + Files.getLastModifiedTime(file);
        } catch (IOException e) {
            throw new HypervisorException("cannot look at " + file + ": " + e, e);
        }
    }
}
