// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.GuestPath;
import java.util.List;

/**
 * A mount of a container, with the fields of the runtime-spec's {@code mounts}.
 *
 * @param type {@code bind}, or a file system such as {@code tmpfs}
 * @param source of a bind mount, a path in the guest; else a name without meaning
 * @param options of mount(8)
 */
public record GuestMount(GuestPath destination, String type, String source, List<String> options) {
    public GuestMount {
        options = List.copyOf(options);
    }
}
