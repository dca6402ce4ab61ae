// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.Device;
import io.virtcontainers.GuestPath;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.Mount;
import io.virtcontainers.SharedFs;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.core.state.Held;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImages;
import io.virtcontainers.spi.GuestMount;
import io.virtcontainers.spi.GuestStorage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The mounts of one container, on their way into the guest. A file of the host is sent to the guest; a directory becomes a
 * disk, in the guest with a layer in memory above it if it can be written. What is live is shared by the machine.
 */
final class ContainerMounts {
    private static final GuestPath GUEST_ROOT = GuestPath.of("/run/kata-containers/mounts");
    private static final GuestPath GUEST_VOLUMES = GuestPath.of("/run/kata-containers/volumes");
    private static final GuestPath GUEST_SHARE = GuestPath.of("/run/kata-containers/shared/live");
    private static final GuestPath GUEST_PERSISTENT = GuestPath.of("/run/kata-containers/persistent");
    private static final Duration PACKING = Duration.ofMinutes(10);
    private static final int HASH_BYTES = 10;

    private final ContainerConfig config;
    private final String driver;

    /** The disks of those mounts that are directories, by the number of the mount. */
    private final TreeMap<Integer, Path> disks = new TreeMap<>();

    /** The numbers of those mounts that are live. */
    private final List<Integer> shares = new ArrayList<>();

    private final List<GuestStorage> storages = new ArrayList<>();
    private final List<GuestMount> mounts = new ArrayList<>();

    private ContainerMounts(ContainerConfig config, String driver) {
        this.config = config;
        this.driver = driver;
    }

    /** Of a container that has none. */
    static ContainerMounts none(ContainerConfig config) {
        return new ContainerMounts(config, "");
    }

    /**
     * Looks at the sources and packs the directories, which takes long; touches neither machine nor record.
     *
     * @throws InvalidConfigException if a source is not there, or neither file nor directory
     */
    static ContainerMounts prepare(
            ContainerConfig config, HypervisorConfig hypervisor, GuestImages images, Phases phases) {
        ContainerMounts prepared = new ContainerMounts(config, RootFileSystem.driver(hypervisor));
        for (int i = 0; i < config.mounts().size(); i++) {
            if (config.mounts().get(i) instanceof Mount.Shared shared) {
                prepared.share(i, shared, hypervisor);
            } else if (config.mounts().get(i) instanceof Mount.Persistent persistent) {
                PersistentVolumes.check(persistent, config, hypervisor);
            } else if (config.mounts().get(i) instanceof Mount.Bind bind) {
                if (Files.isDirectory(bind.source())) {
                    prepared.disks.put(i, images.rootfsImage(bind.source(), phases, Deadline.after(PACKING)));
                } else if (!Files.isRegularFile(bind.source()) || !Files.isReadable(bind.source())) {
                    throw new InvalidConfigException(
                            "source of the mount on " + bind.destination(),
                            bind.source().toString(),
                            "is no file or directory that can be read");
                }
            }
        }
        return prepared;
    }

    private void share(int number, Mount.Shared shared, HypervisorConfig hypervisor) {
        requireShared(hypervisor, "the mount on " + shared.destination());
        if (!Files.isDirectory(shared.source()) && !Files.isRegularFile(shared.source())) {
            throw new InvalidConfigException(
                    "source of the mount on " + shared.destination(),
                    shared.source().toString(),
                    "is no file or directory");
        }
        shares.add(number);
    }

    /** @throws UnsupportedException unless the sandbox shares files of the host live */
    static void requireShared(HypervisorConfig hypervisor, String what) {
        if (hypervisor.sharedFs().type() == SharedFs.NONE) {
            throw new UnsupportedException(what + " is live, but the sandbox has sharedFs NONE:"
                    + " create the sandbox with VIRTIO_FS or VIRTIO_9P, or give a copy (Mount.Bind, RootFs.directory)");
        }
    }

    /** Where the guest finds what the machine shares under this name. */
    static GuestPath shared(String name) {
        return GUEST_SHARE.resolve(name);
    }

    /** What the guest mounts once for all containers. */
    static List<GuestStorage> ofSandbox(HypervisorConfig hypervisor) {
        return switch (hypervisor.sharedFs().type()) {
            case NONE -> List.of();
            case VIRTIO_FS ->
                List.of(new GuestStorage("virtio-fs", VmConfig.SHARE_TAG, "virtiofs", List.of("nodev"), GUEST_SHARE));
            // As Kata: mmap is the only cache that lets files be mapped and is still coherent with the host.
            case VIRTIO_9P ->
                List.of(new GuestStorage(
                        "9p",
                        VmConfig.SHARE_TAG,
                        "9p",
                        List.of(
                                "trans=virtio,version=9p2000.L,cache=mmap",
                                "nodev",
                                "msize=" + hypervisor.sharedFs().msize9p()),
                        GUEST_SHARE));
        };
    }

    /** What the journal must know before {@link #acquire}. */
    List<Held> held() {
        return Stream.concat(disks.keySet().stream(), shares.stream())
                .map(number -> Held.device(deviceId(config.id(), number)))
                .toList();
    }

    /** Whether this entry of a journal is a mount's of this container. */
    static boolean isOf(String containerId, Held entry) {
        return entry.kind() == Held.Kind.DEVICE && entry.id().startsWith(prefix(containerId));
    }

    /** Ids of containers may be as long as ids of devices: so these have a hash of them. */
    private static String deviceId(String containerId, int number) {
        return prefix(containerId) + number;
    }

    private static String prefix(String containerId) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(containerId.getBytes(StandardCharsets.UTF_8));
            return "mount-" + HexFormat.of().formatHex(digest, 0, HASH_BYTES) + "-";
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /** Brings them into the guest. */
    void acquire(VirtualMachine machine, Agent agent, Deadline deadline) {
        for (int i = 0; i < config.mounts().size(); i++) {
            Mount mount = config.mounts().get(i);
            GuestPath place = GUEST_ROOT.resolve(config.id()).resolve(Integer.toString(i));
            if (mount instanceof Mount.Tmpfs tmpfs) {
                mounts.add(new GuestMount(
                        tmpfs.destination(),
                        "tmpfs",
                        "tmpfs",
                        List.of("nosuid", "nodev", "size=" + tmpfs.size().bytes())));
            } else if (mount instanceof Mount.Volume volume) {
                GuestPath shared = GUEST_VOLUMES.resolve(volume.name());
                storages.add(new GuestStorage(
                        "ephemeral",
                        "tmpfs",
                        "tmpfs",
                        List.of(
                                "nosuid",
                                "nodev",
                                "mode=1777",
                                "size=" + volume.size().bytes()),
                        shared));
                mounts.add(bind(volume.destination(), shared, /* readOnly= */ false));
            } else if (mount instanceof Mount.Shared shared) {
                String name = machine.addDevice(
                        new Device.Shared(deviceId(config.id(), i), shared.source(), shared.readOnly()), deadline);
                mounts.add(bind(shared.destination(), shared(name), shared.readOnly()));
            } else if (mount instanceof Mount.Persistent persistent) {
                GuestStorage storage = PersistentVolumes.plug(persistent, GUEST_PERSISTENT, machine, deadline);
                storages.add(storage);
                mounts.add(bind(persistent.destination(), storage.mountPoint(), persistent.readOnly()));
            } else if (mount instanceof Mount.Bind bind) {
                Path disk = disks.get(i);
                GuestPath source = disk == null
                        ? file(agent, bind, place, deadline)
                        : directory(machine, i, disk, bind, place, deadline);
                mounts.add(bind(bind.destination(), source, bind.readOnly()));
            }
        }
    }

    private static GuestMount bind(GuestPath destination, GuestPath source, boolean readOnly) {
        return new GuestMount(destination, "bind", source.value(), List.of("rbind", readOnly ? "ro" : "rw"));
    }

    private static GuestPath file(Agent agent, Mount.Bind bind, GuestPath place, Deadline deadline) {
        GuestPath target = place.resolve("file");
        agent.copyFile(bind.source(), target, deadline);
        return target;
    }

    private GuestPath directory(
            VirtualMachine machine, int number, Path disk, Mount.Bind bind, GuestPath place, Deadline deadline) {
        String address = machine.addDevice(
                new Device.Block(deviceId(config.id(), number), disk, /* readOnly= */ true), deadline);
        GuestPath lower = place.resolve("lower");
        storages.add(new GuestStorage(driver, address, "erofs", List.of("ro"), lower));
        if (bind.readOnly()) {
            return lower;
        }
        GuestPath merged = place.resolve("merged");
        storages.add(new GuestStorage(
                "overlayfs",
                "overlay",
                "overlay",
                List.of("lowerdir=" + lower, "upperdir=" + place.resolve("upper"), "workdir=" + place.resolve("work")),
                merged));
        return merged;
    }

    /** After {@link #acquire}: what the guest mounts for the container. */
    List<GuestStorage> storages() {
        return storages;
    }

    /** After {@link #acquire}: what the container sees. */
    List<GuestMount> mounts() {
        return mounts;
    }
}
