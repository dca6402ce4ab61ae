// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.HostSetupException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A program of the host with every shared library that it needs, each under the path where the guest's dynamic loader
 * looks for it. Follows the loader's rules: breadth first, one library per name, RUNPATH for the object's own needs,
 * RPATH also for those of its libraries, then the default folders. What a program opens at run time (dlopen) is left out.
 */
final class ProgramFiles {
    private static final long MAX_FILE = 256L << 20;

    /** An object whose needs are to be found; its own path in the guest is what $ORIGIN stands for. */
    private record Loaded(Path hostPath, String guestPath, ElfFile elf, List<SearchFolder> inheritedRpath) {}

    /** One folder, on the host and as the guest sees it. */
    private record SearchFolder(Path host, Path guest) {
        static SearchFolder same(String path) {
            return new SearchFolder(Path.of(path), Path.of(path));
        }
    }

    private final int machine;
    private final List<SearchFolder> defaultFolders;
    private final List<GuestFile> files = new ArrayList<>();
    private final Set<String> guestPaths = new HashSet<>();
    private final Set<String> names = new HashSet<>();
    private final Deque<Loaded> queue = new ArrayDeque<>();

    private ProgramFiles(int machine, List<Path> defaultFolders) {
        this.machine = machine;
        this.defaultFolders = defaultFolders.stream()
                .map(folder -> new SearchFolder(folder, folder))
                .toList();
    }

    /** Debian's folders of libraries by architecture, then those of Fedora, then those of Arch and Alpine. */
    static List<Path> defaultFolders(int machine) {
        String triplet = machine == ElfFile.MACHINE_AARCH64 ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
        return List.of(
                Path.of("/lib", triplet),
                Path.of("/usr/lib", triplet),
                Path.of("/lib64"),
                Path.of("/usr/lib64"),
                Path.of("/lib"),
                Path.of("/usr/lib"));
    }

    /**
     * @param guestPath where the program shall be in the guest
     * @throws HostSetupException if it is no program for this machine, or a library is missing
     */
    static List<GuestFile> collect(Path program, String guestPath, int machine, List<Path> defaultFolders)
            throws IOException {
        ProgramFiles collected = new ProgramFiles(machine, defaultFolders);
        try {
            Content content = read(program);
            ElfFile elf = ElfFile.read(content.source());
            if (elf.machine() != machine) {
                throw new MalformedException("for another machine (ELF machine " + elf.machine() + ")");
            }
            collected.add(new GuestFile(guestPath, 0755, content, Optional.of(program)));
            Optional<String> interpreter = elf.interpreter();
            if (interpreter.isPresent()) {
                collected.addInterpreter(program, interpreter.get());
            }
            collected.queue.add(new Loaded(program, guestPath, elf, List.of()));
            while (!collected.queue.isEmpty()) {
                collected.addLibraries(collected.queue.remove());
            }
        } catch (MalformedException e) {
            throw new HostSetupException(
                    program + " cannot be used in the guest: " + e.getMessage() + "; install it anew", e);
        }
        return collected.files;
    }

    private void addInterpreter(Path program, String interpreter) throws IOException {
        Path path = Path.of(interpreter);
        if (!path.isAbsolute() || !Files.isRegularFile(path)) {
            throw new HostSetupException(
                    program + " needs the dynamic loader " + interpreter + ", which does not exist");
        }
        names.add(String.valueOf(path.getFileName())); // libraries name it among their needs: it is loaded already
        add(new GuestFile(path.normalize().toString(), 0755, read(path), Optional.of(path)));
    }

    private void addLibraries(Loaded object) throws IOException {
        ElfFile.Dynamic dynamic = object.elf().dynamic();
        List<SearchFolder> rpath = new ArrayList<>(folders(dynamic.rpath(), object));
        rpath.addAll(object.inheritedRpath());
        List<SearchFolder> search =
                new ArrayList<>(dynamic.runpath().isEmpty() ? rpath : folders(dynamic.runpath(), object));
        search.addAll(defaultFolders);
        for (String name : dynamic.needed()) {
            if (names.add(name)) {
                addLibrary(name, object, search, rpath);
            }
        }
    }

    private void addLibrary(String name, Loaded wantedBy, List<SearchFolder> search, List<SearchFolder> rpath)
            throws IOException {
        List<SearchFolder> places = name.contains("/") ? List.of(SearchFolder.same("/")) : search;
        for (SearchFolder folder : places) {
            Path candidate = folder.host().resolve(name);
            if (!Files.isRegularFile(candidate)) {
                continue;
            }
            Content content = read(candidate);
            ByteSource source = content.source();
            if (!isForThisMachine(source)) {
                continue; // a 32-bit library beside ours: the loader passes over it, too
            }
            String guestPath = folder.guest().resolve(name).normalize().toString();
            add(new GuestFile(guestPath, 0644, content, Optional.of(candidate)));
            queue.add(new Loaded(candidate, guestPath, ElfFile.read(source), rpath));
            return;
        }
        throw new HostSetupException("the library " + name + ", which " + wantedBy.hostPath() + " needs, is not in "
                + places.stream().map(folder -> folder.host().toString()).toList() + ": install its package");
    }

    private boolean isForThisMachine(ByteSource source) throws IOException {
        return ElfFile.isElf(source)
                && source.read(4, 1, "the ELF class").get() == 2
                && ElfFile.read(source).machine() == machine;
    }

    /** RPATH and RUNPATH entries with $ORIGIN replaced; others with a variable in them are passed over. */
    private static List<SearchFolder> folders(List<String> paths, Loaded object) throws IOException {
        List<SearchFolder> result = new ArrayList<>();
        String hostOrigin = String.valueOf(object.hostPath().toRealPath().getParent());
        String guestOrigin = String.valueOf(Path.of(object.guestPath()).getParent());
        for (String path : paths) {
            String host = replaceOrigin(path, hostOrigin);
            if (host.startsWith("/") && !host.contains("$")) {
                result.add(new SearchFolder(Path.of(host), Path.of(replaceOrigin(path, guestOrigin))));
            }
        }
        return result;
    }

    private static String replaceOrigin(String path, String origin) {
        return path.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
    }

    private void add(GuestFile file) {
        if (guestPaths.add(file.path())) {
            files.add(file);
        }
    }

    private static Content read(Path file) throws IOException {
        if (Files.size(file) > MAX_FILE) {
            throw new MalformedException(file + " has more than " + (MAX_FILE >> 20) + " MiB");
        }
        return Content.of(Files.readAllBytes(file));
    }
}
