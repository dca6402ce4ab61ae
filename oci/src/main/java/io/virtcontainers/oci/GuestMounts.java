// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.virtcontainers.GuestPath;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** The rules of {@link GuestSpec} for the part {@code mounts}. */
final class GuestMounts {
    private static final List<Path> KERNEL_TREES = List.of(Path.of("/proc"), Path.of("/sys"));

    private enum Rule {
        KEEP,
        REMOVE,
        /** A tmpfs of the guest comes in its place. */
        SHARED_MEMORY,
        /** The storage layer brings it into the guest. */
        OF_HOST
    }

    private final List<OciMount> mounts;
    private final Path bundle;

    GuestMounts(OciSpec spec, Path bundle) {
        this.mounts = spec.mounts();
        this.bundle = bundle;
    }

    private Rule rule(int index) {
        OciMount mount = mounts.get(index);
        if (!mount.isBind()) {
            return Rule.KEEP;
        }
        if (isSharedMemory(mount)) {
            return Rule.SHARED_MEMORY;
        }
        return KERNEL_TREES.stream().anyMatch(source(index)::startsWith) ? Rule.REMOVE : Rule.OF_HOST;
    }

    private static boolean isSharedMemory(OciMount mount) {
        return Stream.of(mount.destination().split("/"))
                .filter(part -> !part.isEmpty() && !part.equals("."))
                .toList()
                .equals(List.of("dev", "shm"));
    }

    private Path source(int index) {
        String source = mounts.get(index).source().orElseThrow();
        try {
            return bundle.resolve(source).normalize();
        } catch (InvalidPathException e) {
            throw new InvalidConfigException(jsonPath(index) + ".source: " + JsonObject.shown(source)
                    + " cannot be a file's name in the locale of this process");
        }
    }

    private static String jsonPath(int index) {
        return "mounts[" + index + ']';
    }

    /** What the host would have mounted on {@code /dev/shm}, if it is not a file system of its own kind. */
    Optional<Path> sharedMemory() {
        return indexes(Rule.SHARED_MEMORY).mapToObj(this::source).findFirst();
    }

    /** The mounts that the storage layer must provide. */
    List<HostMount> ofHost() {
        return indexes(Rule.OF_HOST).mapToObj(this::ofHost).toList();
    }

    private IntStream indexes(Rule wanted) {
        return IntStream.range(0, mounts.size()).filter(index -> rule(index) == wanted);
    }

    private HostMount ofHost(int index) {
        OciMount mount = mounts.get(index);
        OciMount absolute = new OciMount(
                mount.destination(),
                mount.type(),
                Optional.of(source(index).toString()),
                mount.options(),
                mount.uidMappings(),
                mount.gidMappings());
        return new HostMount(jsonPath(index), absolute);
    }

    /** Applies the rules to the document's own list of these mounts. */
    void trim(ArrayNode json, MemorySize sharedMemory) {
        Iterator<Integer> index = IntStream.range(0, mounts.size()).iterator();
        json.removeIf(entry -> trim(index.next(), (ObjectNode) entry, sharedMemory) == Rule.REMOVE);
    }

    private Rule trim(int index, ObjectNode json, MemorySize sharedMemory) {
        String destination = mounts.get(index).destination();
        if (!destination.startsWith("/")) { // deprecated but allowed; agents want it absolute
            json.put("destination", '/' + destination);
        }
        Rule rule = rule(index);
        if (rule == Rule.SHARED_MEMORY) {
            json.put("type", "tmpfs").put("source", "shm");
            json.putArray("options")
                    .add("noexec")
                    .add("nosuid")
                    .add("nodev")
                    .add("mode=1777")
                    .add("size=" + sharedMemory.bytes());
        }
        return rule;
    }

    /** Gives the bind mounts of a trimmed list, which are those of the host, their sources in the guest. */
    static void place(ArrayNode trimmed, List<HostMount> hostMounts, Function<HostMount, Optional<GuestPath>> storage) {
        Iterator<HostMount> wanted = hostMounts.iterator();
        trimmed.forEach(json -> {
            if (OciMount.of(new JsonObject((ObjectNode) json, "mounts")).isBind()) {
                ((ObjectNode) json).put("source", place(wanted.next(), storage).value());
            }
        });
    }

    /** Of a trimmed list: those of the host. */
    static void removeBinds(ArrayNode trimmed) {
        trimmed.removeIf(
                json -> OciMount.of(new JsonObject((ObjectNode) json, "mounts")).isBind());
    }

    private static GuestPath place(HostMount mount, Function<HostMount, Optional<GuestPath>> storage) {
        return storage.apply(mount)
                .orElseThrow(() -> new InvalidConfigException(mount.jsonPath() + ".source: "
                        + JsonObject.shown(mount.mount().source().orElseThrow())
                        + " of the host cannot be brought into the guest for "
                        + mount.mount().destination()));
    }
}
