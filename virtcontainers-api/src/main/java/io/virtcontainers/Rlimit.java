// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.List;

/**
 * A limit of a process and its children (setrlimit(2); OCI runtime-spec, {@code process.rlimits}).
 *
 * @param type its name there, for example {@code RLIMIT_NOFILE}
 * @param soft the value in force: a number without a sign, {@link #UNLIMITED} is the highest
 * @param hard what the process may raise the soft value to: without a sign, and not less
 */
public record Rlimit(String type, long soft, long hard) {
    /** No limit: RLIM_INFINITY. */
    public static final long UNLIMITED = -1;

    private static final String PREFIX = "RLIMIT_";
    private static final List<String> TYPES = List.of(
            "AS",
            "CORE",
            "CPU",
            "DATA",
            "FSIZE",
            "LOCKS",
            "MEMLOCK",
            "MSGQUEUE",
            "NICE",
            "NOFILE",
            "NPROC",
            "RSS",
            "RTPRIO",
            "RTTIME",
            "SIGPENDING",
            "STACK");

    public Rlimit {
        if (!type.startsWith(PREFIX) || !TYPES.contains(type.substring(PREFIX.length()))) {
            throw new InvalidConfigException(
                    "resource limit",
                    '"' + type + '"',
                    "must be " + PREFIX + " and one of " + String.join(", ", TYPES) + " (setrlimit(2))");
        }
        if (Long.compareUnsigned(soft, hard) > 0) {
            throw new InvalidConfigException(
                    "soft limit of " + type,
                    Long.toUnsignedString(soft),
                    "must not be more than the hard one, " + Long.toUnsignedString(hard));
        }
    }
}
