// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/**
 * A path inside the guest or inside a container: never to be resolved on the host, which is why it is not a
 * {@link java.nio.file.Path}.
 *
 * @param value an absolute path without {@code ..}
 */
public record GuestPath(String value) {
    public GuestPath {
        if (!value.startsWith("/")
                || value.indexOf('\0') >= 0
                || java.util.Arrays.asList(value.split("/")).contains("..")) {
            throw new InvalidConfigException("guest path", '"' + value + '"', "must be absolute, without '..' or NUL");
        }
    }

    public static GuestPath of(String value) {
        return new GuestPath(value);
    }

    /** This path with one more element. */
    public GuestPath resolve(String name) {
        return new GuestPath(value.endsWith("/") ? value + name : value + "/" + name);
    }

    @Override
    public String toString() {
        return value;
    }
}
