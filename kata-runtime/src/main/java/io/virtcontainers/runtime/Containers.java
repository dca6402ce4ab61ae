// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerStatus;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.oci.OciState;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;

/** The containers of one root, by the ids that engines give them. */
final class Containers implements AutoCloseable {
    private final Path root;
    private final VirtContainers library;
    private final Registry registry;

    private Containers(Path root, VirtContainers library) {
        this.root = root;
        this.library = library;
        this.registry = new Registry(root);
    }

    static Containers open(GlobalOptions options) {
        // One operation on one sandbox, which settles it: others are not looked at.
        return new Containers(
                options.root(),
                VirtContainers.builder()
                        .stateDirectory(options.root())
                        .sweep(false)
                        .open());
    }

    /** Forgets a container that is gone. */
    void forget(Entry entry) throws IOException {
        Files.deleteIfExists(SupervisorServer.socket(root, entry.supervisor().pid())); // if it was killed
        registry.remove(entry.id());
    }

    VirtContainers library() {
        return library;
    }

    Registry registry() {
        return registry;
    }

    /** @throws NotFoundException if there is none */
    Container container(String id) throws IOException {
        Entry entry = registry.get(id);
        try {
            return library.sandbox(entry.sandbox()).container(id);
        } catch (NotFoundException e) {
            throw new NotFoundException("container " + id + " is " + status(entry) + ": it cannot be used");
        }
    }

    /** What the library knows of it; empty while it is created, and after its sandbox has gone. */
    Optional<ContainerStatus> known(Entry entry) {
        try {
            return library.hostStatus(entry.sandbox()).containers().stream()
                    .filter(container -> container.id().equals(entry.id()))
                    .findFirst();
        } catch (NotFoundException e) {
            return Optional.empty();
        }
    }

    OciState.Status status(Entry entry) {
        return status(entry, known(entry));
    }

    static OciState.Status status(Entry entry, Optional<ContainerStatus> known) {
        return known.map(container -> OciState.Status.of(container.state()))
                .orElseGet(() -> entry.supervisor().isAlive() ? OciState.Status.CREATING : OciState.Status.STOPPED);
    }

    OciState state(Entry entry) {
        return state(entry, status(entry));
    }

    static OciState state(Entry entry, OciState.Status status) {
        return new OciState(
                entry.ociVersion(),
                entry.id(),
                status,
                status == OciState.Status.STOPPED
                        ? OptionalLong.empty()
                        : OptionalLong.of(entry.supervisor().pid()),
                entry.bundle().toString(),
                entry.annotations());
    }

    @Override
    public void close() {
        library.close();
    }
}
