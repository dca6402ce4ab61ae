// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestPath;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Mount;
import io.virtcontainers.RootFs;
import io.virtcontainers.SandboxConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * A directory with a container's {@code config.json} (runtime-spec, bundle.md), and what it means for this library. The
 * directory is looked at when it is loaded, and its root file system and shared memory when they are asked for.
 */
public final class Bundle {
    private static final String CONFIG = "config.json";
    private static final Pattern VERSION_1 = Pattern.compile("1\\.\\d+\\.\\d+([-+].*)?");
    private static final MemorySize SHARED_MEMORY = MemorySize.mib(64);
    private static final int MAX_HOSTNAME = 63;
    private static final int TYPE_OF_FILE = 0170000; // stat(2), S_IFMT
    private static final int BLOCK_DEVICE = 0060000;

    private final Path directory;
    private final OciSpec spec;
    private final OciProcess process;
    private final OciRoot root;

    private Bundle(Path directory, OciSpec spec) {
        this.directory = directory;
        this.spec = spec;
        if (!VERSION_1.matcher(spec.ociVersion()).matches()) {
            throw new InvalidConfigException(
                    "ociVersion: " + JsonObject.shown(spec.ociVersion()) + " is not supported: only 1.x.y is");
        }
        process = spec.process().orElseThrow(() -> new InvalidConfigException("process: missing"));
        root = spec.root().orElseThrow(() -> new InvalidConfigException("root: missing"));
        ContainerType.of(spec.annotations());
        ContainerType.sandboxId(spec.annotations());
        process.toConfig();
        spec.linux().resources().toConfig();
    }

    /**
     * Reads and checks the configuration of a bundle: all that can be wrong with it is found here, but for what the guest
     * cannot do.
     *
     * @throws InvalidConfigException naming the file, and the field that is wrong
     */
    public static Bundle load(Path directory) {
        Path absolute = directory.toAbsolutePath().normalize();
        Path file = absolute.resolve(CONFIG);
        try {
            return new Bundle(absolute, OciSpec.parse(read(file)));
        } catch (InvalidConfigException e) {
            throw new InvalidConfigException(file + ": " + e.getMessage());
        }
    }

    private static byte[] read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new InvalidConfigException("there is no such file: is this the directory of a bundle?");
        }
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(JsonDocument.MAX_BYTES + 1);
        } catch (IOException e) {
            throw new InvalidConfigException("cannot be read: " + e);
        }
    }

    /** Absolute. */
    public Path directory() {
        return directory;
    }

    public OciSpec spec() {
        return spec;
    }

    public ContainerType containerType() {
        return ContainerType.of(spec.annotations());
    }

    /** The id of the sandbox that the container belongs to: its own, unless it joins another. */
    public String sandboxId(String containerId) {
        return ContainerType.sandboxId(spec.annotations()).orElse(containerId);
    }

    /** The annotations of the configuration, and those of {@link Annotations}. */
    public Map<String, String> annotations() {
        Map<String, String> all = new LinkedHashMap<>(spec.annotations());
        all.put(Annotations.BUNDLE_PATH, directory.toString());
        all.put(Annotations.CONTAINER_TYPE, containerType().toString());
        return all;
    }

    /**
     * The root file system: a directory, or an EROFS image in a file or on a block device.
     *
     * @throws InvalidConfigException if there is nothing of these
     */
    public RootFs rootfs() {
        Path path;
        try {
            path = directory.resolve(root.path()).normalize();
        } catch (InvalidPathException e) {
            throw new InvalidConfigException("root.path: " + e.getMessage());
        }
        if (Files.isDirectory(path)) {
            return RootFs.directory(path);
        }
        if (Files.isRegularFile(path) || isBlockDevice(path)) {
            return RootFs.image(path);
        }
        throw new InvalidConfigException(
                "root.path: " + JsonObject.shown(path.toString()) + " is no directory, image or block device");
    }

    private static boolean isBlockDevice(Path path) {
        try {
            return ((Integer) Files.getAttribute(path, "unix:mode") & TYPE_OF_FILE) == BLOCK_DEVICE;
        } catch (IOException e) {
            return false;
        }
    }

    /** What the guest gets of the configuration, see {@link GuestSpec#of}. */
    public GuestSpec guestSpec(boolean seccomp) {
        return GuestSpec.of(spec, directory, sharedMemory(), seccomp);
    }

    /**
     * The size of {@code /dev/shm}: that of a tmpfs which the engine has made for it on the host, else 64 MiB, also for the
     * host's own, which no guest can see.
     */
    private MemorySize sharedMemory() {
        return new GuestMounts(spec, directory)
                .sharedMemory()
                .filter(source -> !source.equals(Path.of("/dev/shm")))
                .flatMap(Bundle::sizeOfTmpfs)
                .orElse(SHARED_MEMORY);
    }

    private static Optional<MemorySize> sizeOfTmpfs(Path path) {
        try {
            FileStore store = Files.getFileStore(path);
            return store.type().equals("tmpfs") && store.getTotalSpace() > 0
                    ? Optional.of(MemorySize.ofBytes(store.getTotalSpace()))
                    : Optional.empty();
        } catch (IOException e) {
            return Optional.empty(); // it is not there, and nobody will miss it
        }
    }

    /**
     * The container of this bundle, whose bind mounts are copies of the host's files ({@link Mount.Bind}).
     *
     * @param id its id
     * @param guest from {@link #guestSpec}
     * @throws InvalidConfigException if the root file system is not there
     */
    public ContainerConfig containerConfig(String id, GuestSpec guest) {
        return containerConfig(id, guest, guest.toJsonWithoutHostMounts())
                .mounts(guest.hostMounts().stream().map(HostMount::toMount).toArray(Mount[]::new))
                .build();
    }

    /**
     * The container of this bundle, whose root directory and bind mounts are the host's files, live ({@link RootFs.Shared},
     * {@link Mount.Shared}).
     *
     * @param id its id
     * @param guest from {@link #guestSpec}
     * @throws InvalidConfigException if the root file system is not there
     */
    public ContainerConfig liveContainerConfig(String id, GuestSpec guest) {
        RootFs rootfs = rootfs();
        return containerConfig(id, guest, guest.toJsonWithoutHostMounts())
                .rootfs(rootfs instanceof RootFs.Directory directory ? RootFs.shared(directory.path()) : rootfs)
                .mounts(guest.hostMounts().stream().map(HostMount::toLiveMount).toArray(Mount[]::new))
                .build();
    }

    /**
     * The container of this bundle, for a caller who brings the host's files into the guest.
     *
     * @param id its id
     * @param guest from {@link #guestSpec}
     * @param storage where in the guest the source of a bind mount is, see {@link GuestSpec#toJson}
     * @throws InvalidConfigException if the root file system is not there, or a mount cannot be had
     */
    public ContainerConfig containerConfig(
            String id, GuestSpec guest, Function<HostMount, Optional<GuestPath>> storage) {
        return containerConfig(id, guest, guest.toJson(storage)).build();
    }

    private ContainerConfig.Builder containerConfig(String id, GuestSpec guest, String json) {
        return ContainerConfig.builder(id)
                .rootfs(rootfs())
                .readOnlyRootfs(root.readonly())
                .process(process.toConfig())
                .resources(spec.linux().resources().toConfig())
                .sharedPidNamespace(guest.sharedPidNamespace())
                .annotations(annotations())
                .spec(json);
    }

    /**
     * A sandbox for this bundle, with its annotations and its host name, which is cut to the 63 characters that there may be,
     * as Kata does; all else by default.
     */
    public SandboxConfig.Builder sandboxConfig(String id) {
        SandboxConfig.Builder sandbox = SandboxConfig.builder(id).annotations(annotations());
        spec.hostname().ifPresent(name -> sandbox.hostname(shortened(name)));
        return sandbox;
    }

    private static String shortened(String hostname) {
        return hostname.length() > MAX_HOSTNAME
                ? hostname.substring(0, MAX_HOSTNAME).replaceAll("[.-]+$", "")
                : hostname;
    }
}
