// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.HostSetupException;
import io.virtcontainers.spi.Deadline;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * The modules of one kernel, found without modules.dep, which exists only where depmod has run. Resolves what must be
 * loaded for a module, in order, and remembers what it gave: a module is given once. Not thread-safe.
 */
final class KernelModules {
    private static final Pattern FILE = Pattern.compile("(.+)\\.ko(?:\\.(xz|zst|gz))?");
    private static final int MAX_MODULE = 64 << 20;

    /**
     * Crypto algorithms are wanted by alias, not by name. The portable implementation first: it loads on every processor,
     * and erofs needs it for one block at mount only.
     */
    private static final Map<String, List<String>> ALIASES =
            Map.of("crc32c", List.of("crc32c_generic", "crc32c_intel"), "crc32", List.of("crc32_generic"));

    /**
     * A module to load.
     *
     * @param relativePath in the modules folder, ends with {@code .ko}
     * @param content uncompressed
     * @param source the file on the host
     */
    record Module(String name, String relativePath, Content content, Path source) {}

    private final String release;
    private final Path directory;
    private final Deadline deadline;
    private final Map<String, Path> files;
    private final Set<String> builtIn;
    private final Map<String, Module> given = new LinkedHashMap<>();

    private KernelModules(
            String release, Path directory, Deadline deadline, Map<String, Path> files, Set<String> builtIn) {
        this.release = release;
        this.directory = directory;
        this.deadline = deadline;
        this.files = files;
        this.builtIn = builtIn;
    }

    /** @param directory the folder of this release, {@code .../lib/modules/6.1.0-56-cloud-amd64} */
    static KernelModules open(String release, Path directory, Deadline deadline) throws IOException {
        Map<String, Path> files = new HashMap<>();
        TreeMap<Path, Matcher> found = new TreeMap<>();
        Files.walkFileTree(directory, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                Waits.check(deadline, "the search for kernel modules in " + directory);
                Matcher name = FILE.matcher(file.getFileName().toString());
                if (name.matches()) {
                    found.put(file, name);
                }
                return FileVisitResult.CONTINUE;
            }
        });
        // As depmod does: what the administrator put into updates/ goes before what the package has.
        found.forEach((file, name) -> files.merge(
                ModuleInfo.normalize(name.group(1)),
                file,
                (first, second) -> isUpdate(directory, second) && !isUpdate(directory, first) ? second : first));
        return new KernelModules(release, directory, deadline, files, builtIn(directory));
    }

    private static boolean isUpdate(Path directory, Path file) {
        return directory.relativize(file).startsWith("updates");
    }

    private static Set<String> builtIn(Path directory) throws IOException {
        Set<String> names = new HashSet<>();
        try {
            for (String line : Files.readAllLines(directory.resolve("modules.builtin"))) {
                String file = line.strip().substring(line.strip().lastIndexOf('/') + 1);
                if (file.endsWith(".ko")) {
                    names.add(ModuleInfo.normalize(file.substring(0, file.length() - 3)));
                }
            }
        } catch (NoSuchFileException e) {
            return Set.of();
        }
        return names;
    }

    /** Whether it is there, as a file or built in. */
    boolean has(String name) {
        return files.containsKey(ModuleInfo.normalize(name)) || builtIn.contains(ModuleInfo.normalize(name));
    }

    /** The modules to load for these, that were not given before, in the order of loading.
     *
     * @param required names; nothing is given for one that is built into the kernel
     * @param optional names that this kernel may lack
     * @throws HostSetupException if a required module, or one that it depends on, is missing
     */
    List<Module> resolve(List<String> required, List<String> optional) throws IOException {
        Set<String> before = Set.copyOf(given.keySet());
        for (String name : required) {
            add(ModuleInfo.normalize(name), new ArrayDeque<>());
        }
        for (String name : optional) {
            addIfPresent(ModuleInfo.normalize(name), new ArrayDeque<>());
        }
        List<Module> result = new ArrayList<>();
        given.forEach((name, module) -> {
            if (!before.contains(name)) {
                result.add(module);
            }
        });
        return result;
    }

    /** As {@link #resolve}, but what is given here is given again: one list does not rely on another. */
    List<Module> resolveApart(List<String> optional) throws IOException {
        Set<String> before = Set.copyOf(given.keySet());
        List<Module> result = resolve(List.of(), optional);
        given.keySet().retainAll(before);
        return result;
    }

    private void addIfPresent(String name, Deque<String> path) throws IOException {
        for (String candidate : ALIASES.getOrDefault(name, List.of(name))) {
            if (builtIn.contains(candidate) || given.containsKey(candidate)) {
                return;
            }
            if (files.containsKey(candidate) && !path.contains(candidate)) {
                add(candidate, path);
                return;
            }
        }
    }

    private void add(String name, Deque<String> path) throws IOException {
        if (builtIn.contains(name) || given.containsKey(name)) {
            return;
        }
        Path file = files.get(name);
        if (file == null) {
            String wantedBy = path.isEmpty() ? "" : " (which " + path.getLast() + " needs)";
            throw new HostSetupException(
                    "kernel " + release + " lacks the module " + name + wantedBy + ": it is not in " + directory
                            + ", nor built in; use a kernel that has it, such as linux-image-cloud-amd64");
        }
        if (path.contains(name)) {
            throw new HostSetupException(
                    "modules of kernel " + release + " need each other: " + String.join(" -> ", path) + " -> " + name);
        }
        Module module = read(name, file);
        ModuleInfo info = info(module);
        path.addLast(name);
        for (String wanted : info.pre()) {
            addIfPresent(wanted, path);
        }
        for (String needed : info.depends()) {
            add(needed, path);
        }
        given.put(name, module);
        path.removeLast();
        for (String wanted : info.post()) {
            addIfPresent(wanted, path);
        }
    }

    private static ModuleInfo info(Module module) throws IOException {
        try {
            return ModuleInfo.read(module.content().source());
        } catch (MalformedException e) {
            throw damaged(module.source(), e);
        }
    }

    private Module read(String name, Path file) throws IOException {
        Waits.check(deadline, "the reading of kernel modules");
        byte[] packed = Files.readAllBytes(file);
        String fileName = file.getFileName().toString();
        String plainName = fileName.substring(0, fileName.lastIndexOf(".ko") + 3);
        String relativePath =
                directory.relativize(file.resolveSibling(plainName)).toString();
        if (fileName.equals(plainName)) {
            return new Module(name, relativePath, Content.of(packed), file);
        }
        try (InputStream in = decoder(fileName, packed)) {
            byte[] content = in.readNBytes(MAX_MODULE + 1);
            if (content.length > MAX_MODULE) {
                throw new MalformedException("more than " + (MAX_MODULE >> 20) + " MiB when unpacked");
            }
            return new Module(name, relativePath, Content.of(content), file);
        } catch (IOException e) {
            throw damaged(file, e);
        }
    }

    private static InputStream decoder(String fileName, byte[] packed) throws IOException {
        InputStream in = new ByteArrayInputStream(packed);
        if (fileName.endsWith(".xz")) {
            return new XZInputStream(in, 160 << 10);
        }
        return fileName.endsWith(".zst") ? ZstdStreams.open(in) : new GZIPInputStream(in);
    }

    private static HostSetupException damaged(Path file, IOException e) {
        return new HostSetupException(
                "kernel module " + file + ": " + e.getMessage() + "; install the kernel's package anew", e);
    }
}
