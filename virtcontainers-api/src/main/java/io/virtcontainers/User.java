// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.List;

/**
 * Whom a process runs as, by number (OCI runtime-spec, {@code process.user}).
 *
 * @param uid the user id inside the container, 0 to 2^32 - 2
 * @param gid the primary group id
 * @param additionalGids supplementary groups
 */
public record User(long uid, long gid, List<Long> additionalGids) {
    private static final long MAX = 0xffff_fffeL;
    public static final User ROOT = new User(0, 0, List.of());

    public User {
        additionalGids = List.copyOf(additionalGids);
        check("uid", uid);
        check("gid", gid);
        additionalGids.forEach(g -> check("additional gid", g));
    }

    public static User of(long uid, long gid) {
        return new User(uid, gid, List.of());
    }

    private static void check(String what, long id) {
        if (id < 0 || id > MAX) {
            throw new InvalidConfigException(what, Long.toString(id), "must be 0 to " + MAX);
        }
    }
}
