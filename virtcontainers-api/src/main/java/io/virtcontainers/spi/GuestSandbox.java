// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.GuestPath;
import java.util.List;
import java.util.Optional;

/**
 * What a guest is told about the sandbox that it is, with the fields of the Kata agent's {@code CreateSandboxRequest}.
 *
 * @param id the sandbox's id
 * @param hostname what the containers see as their host name; Linux takes 64 characters of it
 * @param dns the lines of the containers' {@code /etc/resolv.conf}; none: each has that of its image
 * @param storages mounts that live as long as the sandbox
 * @param sharedPidNamespace whether there is a pid namespace that containers may share
 * @param hooks a directory in the guest's image with directories {@code prestart}, {@code poststart} and {@code poststop} of
 *     programs that are run for each container
 * @param modules kernel modules to load first
 */
public record GuestSandbox(
        String id,
        String hostname,
        List<String> dns,
        List<GuestStorage> storages,
        boolean sharedPidNamespace,
        Optional<GuestPath> hooks,
        List<Module> modules) {
    public GuestSandbox {
        dns = List.copyOf(dns);
        storages = List.copyOf(storages);
        modules = List.copyOf(modules);
    }

    /** A kernel module of the guest's image, with parameters such as {@code debug=1}. */
    public record Module(String name, List<String> parameters) {
        public Module {
            parameters = List.copyOf(parameters);
        }
    }

    /** The same with these lines of {@code /etc/resolv.conf}. */
    public GuestSandbox withDns(List<String> lines) {
        return new GuestSandbox(id, hostname, lines, storages, sharedPidNamespace, hooks, modules);
    }

    /** The same with these mounts. */
    public GuestSandbox withStorages(List<GuestStorage> mounts) {
        return new GuestSandbox(id, hostname, dns, mounts, sharedPidNamespace, hooks, modules);
    }

    /** A sandbox with nothing but a name. */
    public static GuestSandbox of(String id, String hostname) {
        return new GuestSandbox(id, hostname, List.of(), List.of(), false, Optional.empty(), List.of());
    }
}
