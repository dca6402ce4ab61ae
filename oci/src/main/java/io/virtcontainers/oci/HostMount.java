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
        String destination = mount.destination();
        return new Mount.Bind(
                Path.of(mount.source().orElseThrow()),
                GuestPath.of(destination.startsWith("/") ? destination : '/' + destination),
                mount.options().contains("ro"));
    }
}
