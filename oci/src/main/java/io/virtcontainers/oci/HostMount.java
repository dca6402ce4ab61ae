// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

/**
 * A bind mount of the host that a container wants in the guest; {@link GuestSpec#toJson} needs to know where it is there.
 *
 * @param jsonPath where the configuration asks for it: {@code mounts[7]}
 * @param mount what it asks for; the source is absolute, so a path of the host
 */
public record HostMount(String jsonPath, OciMount mount) {}
