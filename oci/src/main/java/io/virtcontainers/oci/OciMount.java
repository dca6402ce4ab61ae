// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import java.util.List;
import java.util.Optional;

/**
 * A mount of a container (runtime-spec, config.md, {@code mounts}).
 *
 * @param destination where, inside the container; a relative one begins at {@code /}
 * @param type the file system; without a meaning for a bind mount
 * @param source a device or a dummy; for a bind mount a path of the host, which may be relative to the bundle
 * @param options as of mount(8)
 * @param uidMappings how user ids of the source appear at the destination
 * @param gidMappings how group ids of the source appear at the destination
 */
public record OciMount(
        String destination,
        Optional<String> type,
        Optional<String> source,
        List<String> options,
        List<OciLinux.IdMapping> uidMappings,
        List<OciLinux.IdMapping> gidMappings) {

    static OciMount of(JsonObject json) {
        OciMount mount = new OciMount(
                json.requiredText("destination"),
                json.text("type"),
                json.text("source"),
                json.texts("options"),
                json.objects("uidMappings", OciLinux.IdMapping::of),
                json.objects("gidMappings", OciLinux.IdMapping::of));
        if (mount.isBind() && mount.source.isEmpty()) {
            throw json.error("source", "missing");
        }
        return mount;
    }

    /** By its options, as the specification says, or by its type, as engines write it. */
    public boolean isBind() {
        return options.contains("bind")
                || options.contains("rbind")
                || type.filter("bind"::equals).isPresent();
    }
}
