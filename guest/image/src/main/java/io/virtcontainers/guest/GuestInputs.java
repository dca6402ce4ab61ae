// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Reads from the host all that goes into the initrd. Not thread-safe; one use.
 *
 * <p>Files are stamped before they are read, so that a change in between shows.
 */
final class GuestInputs {
    /** Without these the agent cannot be reached: loaded first. */
    private static final List<String> BOOT_MODULES = List.of("virtio_pci", "virtio_console");
    /** Loaded while the host connects. */
    private static final List<String> LATER_MODULES = List.of("virtio_blk", "erofs", "overlay");

    private static final List<String> LATER_OPTIONAL = List.of("virtio_net");

    /** Loaded by a guest that meets such a device, by the name of the list; a kernel may lack them. */
    private static final Map<String, List<String>> ON_DEMAND = new TreeMap<>(Map.ofEntries(
            Map.entry("mmio", List.of("virtio_mmio")),
            Map.entry("pvpanic", List.of("pvpanic_mmio")),
            Map.entry("rng", List.of("virtio_rng")),
            Map.entry("vsock", List.of("vmw_vsock_virtio_transport")),
            Map.entry("scsi", List.of("virtio_scsi", "sd_mod")),
            Map.entry("nvdimm", List.of("nfit", "nd_pmem", "virtio_pmem")),
            Map.entry("virtio-fs", List.of("virtiofs")),
            Map.entry("9p", List.of("9pnet_virtio", "9p")),
            Map.entry("ext4", List.of("ext4")),
            Map.entry("balloon", List.of("virtio_balloon")),
            Map.entry("memory", List.of("virtio_mem"))));

    /** What a guest loads for 9p. */
    static List<String> modules9p() {
        return ON_DEMAND.getOrDefault("9p", List.of());
    }

    private final Host host;
    private final Instant lookedAt;
    private final Deadline deadline;
    private final Map<Path, String> stamps = new TreeMap<>();
    private boolean settled = true;

    GuestInputs(Host host, Deadline deadline) {
        this.host = host;
        this.lookedAt = host.clock().instant();
        this.deadline = deadline;
    }

    /** Notes how a file or a folder looks, or that it is absent. */
    void stamp(Path file) throws IOException {
        String stamp = FileStamp.describe(file);
        if (stamps.putIfAbsent(file, stamp) == null && !stamp.equals(FileStamp.ABSENT)) {
            settled &= FileStamp.of(file).isSettled(lookedAt);
        }
    }

    /** Whether all stamped files look as they did. */
    boolean areUnchanged() throws IOException {
        for (Map.Entry<Path, String> entry : stamps.entrySet()) {
            if (!FileStamp.describe(entry.getKey()).equals(entry.getValue())) {
                return false;
            }
        }
        return true;
    }

    /** Whether a change of a stamped file from now on must show in its stamp. */
    boolean areSettled() {
        return settled;
    }

    Map<Path, String> stamps() {
        return stamps;
    }

    /** The program that runs containers. */
    static Path findCrun(Host host) {
        Optional<Path> explicit = host.variable("VIRTCONTAINERS_CRUN").map(Path::of);
        if (explicit.isPresent() && !Files.isRegularFile(explicit.get())) {
            throw new HostSetupException(
                    "VIRTCONTAINERS_CRUN " + explicit.get() + ": there is no such file; set it to crun, or unset it");
        }
        return explicit.or(() -> host.findProgram("crun"))
                .map(Path::toAbsolutePath)
                .orElseThrow(() -> new HostSetupException(
                        "crun, which runs the containers in the guest, is not in PATH: `apt install crun`,"
                                + " or set VIRTCONTAINERS_CRUN to it"));
    }

    Initrd read(AgentBinary agent, Path crun, String release, Path modules) throws IOException {
        Initrd initrd = new Initrd();
        if (agent.file().isPresent()) {
            stamp(agent.file().get());
        }
        initrd.add(new GuestFile("/init", 0755, agent.read(), Optional.empty()));
        addCrun(initrd, crun);
        stamp(modules);
        stamp(modules.resolve("modules.builtin"));
        KernelModules kernelModules = KernelModules.open(release, modules, deadline);
        addModules(initrd, release, "boot", kernelModules.resolve(BOOT_MODULES, List.of()));
        addModules(initrd, release, "later", kernelModules.resolve(LATER_MODULES, LATER_OPTIONAL));
        for (Map.Entry<String, List<String>> list : ON_DEMAND.entrySet()) {
            addModules(initrd, release, list.getKey(), kernelModules.resolveApart(list.getValue()));
        }
        addText(initrd, "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
        addText(initrd, "/etc/group", "root:x:0:\n");
        return initrd;
    }

    private void addCrun(Initrd initrd, Path crun) throws IOException {
        int machine = host.architecture().equals("aarch64") ? ElfFile.MACHINE_AARCH64 : ElfFile.MACHINE_X86_64;
        List<Path> folders = ProgramFiles.defaultFolders(machine);
        for (Path folder : folders) {
            stamp(folder); // a library that appears in an earlier folder would be the one to take
        }
        for (GuestFile file : ProgramFiles.collect(crun, "/usr/bin/crun", machine, folders)) {
            stamp(file.source().orElse(crun));
            initrd.add(file);
        }
    }

    private void addModules(Initrd initrd, String release, String list, List<KernelModules.Module> modules)
            throws IOException {
        List<String> paths = new ArrayList<>();
        for (KernelModules.Module module : modules) {
            String path = "/lib/modules/" + release + "/" + module.relativePath();
            stamp(module.source());
            initrd.add(new GuestFile(path, 0644, module.content(), Optional.of(module.source())));
            paths.add(path + "\n");
        }
        addText(initrd, "/etc/virtcontainers/modules." + list, String.join("", paths));
    }

    private static void addText(Initrd initrd, String path, String text) {
        initrd.add(new GuestFile(path, 0644, Content.of(text), Optional.empty()));
    }
}
