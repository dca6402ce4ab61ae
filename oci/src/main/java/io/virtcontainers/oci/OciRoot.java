// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

/**
 * The root file system (runtime-spec, config.md, {@code root}).
 *
 * @param path absolute or relative to the bundle
 * @param readonly whether the container may only read it
 */
public record OciRoot(String path, boolean readonly) {
    static OciRoot of(JsonObject json) {
        return new OciRoot(json.requiredText("path"), json.flag("readonly"));
    }
}
