// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.regex.Pattern;

/**
 * The control group of the host for the hypervisor of one sandbox, of version 1 or 2, as the host has it. The library makes
 * it at the start and removes it at the stop; a process that is in it then goes on in the parent. Needs root.
 *
 * @param path below the root of the hierarchies, {@code /kata/demo}; the group must not be there yet, its parents may
 * @param vcpusOnly whether the limits of processors are for the threads of the virtual processors only, as by Kata's default
 *     ({@code sandbox_cgroup_only = false}), so that what the guest does cannot starve the hypervisor itself; else for all of
 *     it. The whole also includes what serves the hypervisor, virtiofsd, and the processes of {@link Container#shim}
 * @param limits what it may use of the host, {@link Resources#memoryReservation} does not count; memory includes what the
 *     hypervisor needs for itself
 */
public record HostCgroup(String path, boolean vcpusOnly, Resources limits) {
    private static final Pattern PATH = Pattern.compile("(/[A-Za-z0-9_:.@\\\\-]{1,255}){1,32}");

    public HostCgroup {
        if (!PATH.matcher(path).matches() || (path + "/").contains("/../") || (path + "/").contains("/./")) {
            throw new InvalidConfigException(
                    "cgroup path", '"' + path + '"', "must be absolute, of letters, digits, and _ : . @ \\ -");
        }
    }
}
