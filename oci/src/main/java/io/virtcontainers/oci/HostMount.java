// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import io.virtcontainers.GuestPath;
import io.virtcontainers.Mount;
import java.nio.file.Path;

/**
 * A bind mount of the host that a container wants in the guest; {@link GuestSpec#toJson} needs to know where it is there.
 *
 * @param jsonPath where the configuration asks for it: {@code mounts[7]}
 * @param mount what it asks for; the source is absolute, so a path of the host
 */
public record HostMount(String jsonPath, OciMount mount) {
    /** The same for {@code ContainerConfig.mounts}: a copy of the source. */
    Mount toMount() {
        return new Mount.Bind(source(), destination(), readOnly());
    }

    /** The same for {@code ContainerConfig.mounts}: the source, live. */
    Mount toLiveMount() {
        return new Mount.Shared(source(), destination(), readOnly());
    }

    private Path source() {
        return Path.of(mount.source().orElseThrow());
    }

    private GuestPath destination() {
        String destination = mount.destination();
        return GuestPath.of(destination.startsWith("/") ? destination : '/' + destination);
    }

    private boolean readOnly() {
        return mount.options().contains("ro");
    }
}
