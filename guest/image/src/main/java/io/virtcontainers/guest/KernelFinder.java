// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.InvalidConfigException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Finds the kernel of the guests and its modules. Reads folders only, no file: called at the start of every sandbox. */
final class KernelFinder {
    private static final String PREFIX = "vmlinuz-";
    private static final String REMEDY =
            "run `make setup`, or install linux-image-cloud-amd64, or set VIRTCONTAINERS_KERNEL to a kernel";

    private final Host host;
    private final Path unpackedKernels;

    KernelFinder(Host host, Path cacheDirectory) {
        this.host = host;
        this.unpackedKernels = cacheDirectory.resolve("kernel");
    }

    /**
     * @throws InvalidConfigException if the kernel that was asked for does not exist or cannot be read
     * @throws HostSetupException if none was asked for and none is found
     */
    KernelFile find(Optional<Path> asked) throws IOException {
        if (asked.isPresent()) {
            return explicit(asked.get(), "kernel");
        }
        Optional<String> variable = host.variable("VIRTCONTAINERS_KERNEL");
        if (variable.isPresent()) {
            return explicit(Path.of(variable.get()), "VIRTCONTAINERS_KERNEL");
        }
        List<String> rejected = new ArrayList<>();
        for (Path kernel : candidates()) {
            String release = fileName(kernel).substring(PREFIX.length());
            if (!Files.isReadable(kernel)) {
                rejected.add(kernel + " (not readable by this user: copy it, or `sudo chmod a+r` it)");
            } else if (modulesDirectory(kernel, release).isEmpty()) {
                rejected.add(kernel + " (without its modules lib/modules/" + release + ")");
            } else {
                return new KernelFile(kernel, "kernel");
            }
        }
        throw new HostSetupException("no guest kernel found: looked for VIRTCONTAINERS_KERNEL, " + unpackedKernels
                + "/*/boot/" + PREFIX + "*, " + host.bootDirectory() + "/" + PREFIX + "*"
                + (rejected.isEmpty() ? "" : "; cannot use " + String.join(", ", rejected)) + "; " + REMEDY);
    }

    private static KernelFile explicit(Path asked, String origin) {
        Path kernel = asked.toAbsolutePath().normalize();
        if (!Files.exists(kernel)) {
            throw new InvalidConfigException(origin, kernel.toString(), "there is no such file");
        }
        if (!Files.isRegularFile(kernel)) {
            throw new InvalidConfigException(origin, kernel.toString(), "not a file");
        }
        if (!Files.isReadable(kernel)) {
            throw new InvalidConfigException(
                    origin,
                    kernel.toString(),
                    "not readable by this user: copy it to a place of this user, or `sudo chmod a+r` it");
        }
        return new KernelFile(kernel, origin);
    }

    /** Kernels that make setup unpacked, then the host's cloud kernels, then the host's others; newest first. */
    private List<Path> candidates() throws IOException {
        List<Path> unpacked = new ArrayList<>();
        for (Path folder : list(unpackedKernels, "*")) {
            unpacked.addAll(list(folder.resolve("boot"), PREFIX + "*"));
        }
        List<Path> installed = list(host.bootDirectory(), PREFIX + "*");
        Set<Path> result = new LinkedHashSet<>(newestFirst(unpacked));
        result.addAll(newestFirst(installed.stream()
                .filter(kernel -> fileName(kernel).contains("cloud"))
                .toList()));
        result.addAll(newestFirst(installed));
        return List.copyOf(result);
    }

    private static List<Path> list(Path folder, String glob) throws IOException {
        List<Path> result = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, glob)) {
            entries.forEach(result::add);
        } catch (NoSuchFileException | NotDirectoryException | AccessDeniedException e) {
            return List.of();
        }
        return result;
    }

    private static List<Path> newestFirst(List<Path> kernels) {
        return kernels.stream()
                .sorted(Comparator.comparing(KernelFinder::fileName, new VersionOrder())
                        .reversed()
                        .thenComparing(Comparator.naturalOrder()))
                .toList();
    }

    private static String fileName(Path path) {
        return String.valueOf(path.getFileName());
    }

    /** The modules of a kernel: beside it as in a package, else the host's. */
    Optional<Path> modulesDirectory(Path kernel, String release) {
        return modulesCandidates(kernel, release).stream()
                .filter(Files::isDirectory)
                .findFirst();
    }

    /** Where {@link #modulesDirectory} looks, in this order. */
    List<Path> modulesCandidates(Path kernel, String release) {
        List<Path> places = new ArrayList<>();
        Path folder = kernel.getParent();
        Path packageRoot = folder == null ? null : folder.getParent();
        if (packageRoot != null) {
            places.add(packageRoot.resolve("lib/modules").resolve(release));
            places.add(packageRoot.resolve("usr/lib/modules").resolve(release));
        }
        host.moduleRoots().forEach(root -> places.add(root.resolve(release)));
        return places.stream().distinct().toList();
    }
}
