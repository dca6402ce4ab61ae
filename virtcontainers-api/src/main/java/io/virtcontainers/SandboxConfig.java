// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Ids;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A sandbox (one virtual machine) to create. Validated when it is made: a wrong value never starts anything.
 *
 * @param id 1 to 64 letters, digits, {@code _ . -}, beginning with a letter or digit; unique on the host for one user
 * @param hostname what the containers see as their host name; by default the id
 * @param vcpus virtual processors, 1 to 240
 * @param memory the guest's memory, 64 MiB or more
 * @param hypervisor what runs it
 * @param network what connects it to networks; default {@link NetworkConfig#none}
 * @param cgroup in which the hypervisor runs; empty: where this process runs
 * @param template whether it starts as a clone of a template: a machine of the same kind that was booted once and saved,
 *     which takes a tenth of the time. Made at the first use, kept in the state directory. What cannot be cloned boots, and
 *     the timeline says so by the phase {@code template.refused}. All clones of a template share the guest's kernel as it
 *     was laid out in memory (KASLR); each gets randomness and time of its own. Default: false
 * @param detached whether it outlives this Java process: it ends when it is deleted, and other processes of the same user
 *     can fetch it by its id ({@link VirtContainers#sandbox})
 * @param annotations what the caller wants to remember with it
 * @param bootDeadline how long the start may take, from the start of the hypervisor to the agent's first answer
 */
public record SandboxConfig(
        String id,
        String hostname,
        int vcpus,
        MemorySize memory,
        HypervisorConfig hypervisor,
        NetworkConfig network,
        Optional<HostCgroup> cgroup,
        boolean template,
        boolean detached,
        Map<String, String> annotations,
        Duration bootDeadline) {
    private static final int MAX_VCPUS = 240;
    private static final MemorySize MIN_MEMORY = MemorySize.mib(64);
    private static final int MAX_HOSTNAME = 63;

    public SandboxConfig {
        Ids.require("sandbox id", id);
        if (hostname.length() > MAX_HOSTNAME || !hostname.matches("[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")) {
            throw new InvalidConfigException(
                    "hostname",
                    '"' + hostname + '"',
                    "must be 1 to " + MAX_HOSTNAME + " letters, digits, '.' or '-', without '-' or '.' at the ends");
        }
        if (vcpus < 1 || vcpus > MAX_VCPUS) {
            throw new InvalidConfigException("vcpus", Integer.toString(vcpus), "must be 1 to " + MAX_VCPUS);
        }
        if (memory.compareTo(MIN_MEMORY) < 0) {
            throw new InvalidConfigException(
                    "memory", memory.toString(), "is too little for a guest: give it " + MIN_MEMORY + " or more");
        }
        annotations = Map.copyOf(annotations);
        if (bootDeadline.isNegative() || bootDeadline.isZero()) {
            throw new InvalidConfigException("boot deadline", bootDeadline.toString(), "must be positive");
        }
    }

    /** The same with another id. */
    public SandboxConfig withId(String other) {
        return new SandboxConfig(
                other,
                hostname,
                vcpus,
                memory,
                hypervisor,
                network,
                cgroup,
                template,
                detached,
                annotations,
                bootDeadline);
    }

    /** The same with other annotations. */
    public SandboxConfig withAnnotations(Map<String, String> all) {
        return new SandboxConfig(
                id, hostname, vcpus, memory, hypervisor, network, cgroup, template, detached, all, bootDeadline);
    }

    /** The same with other limits of its cgroup, which it has. */
    public SandboxConfig withCgroup(HostCgroup group) {
        return new SandboxConfig(
                id,
                hostname,
                vcpus,
                memory,
                hypervisor,
                network,
                Optional.of(group),
                template,
                detached,
                annotations,
                bootDeadline);
    }

    public static Builder builder(String id) {
        return new Builder(id);
    }

    /** Collects the settings of a {@link SandboxConfig}; not thread-safe. */
    public static final class Builder {
        private final String id;
        private String hostname;
        private int vcpus = 1;
        private MemorySize memory = MemorySize.mib(512);
        private HypervisorConfig hypervisor = HypervisorConfig.defaults();
        private NetworkConfig network = NetworkConfig.none();
        private Optional<HostCgroup> cgroup = Optional.empty();
        private boolean template;
        private boolean detached;
        private final Map<String, String> annotations = new HashMap<>();
        private Duration bootDeadline = Duration.ofSeconds(60);

        private Builder(String id) {
            this.id = Ids.require("sandbox id", id);
            String name = id.replaceAll("[^A-Za-z0-9-]", "-").replaceAll("-+$", "");
            this.hostname = name.length() > MAX_HOSTNAME
                    ? name.substring(0, MAX_HOSTNAME).replaceAll("-+$", "")
                    : name;
        }

        /** Default: the id, with {@code -} for what a host name may not have. */
        public Builder hostname(String newHostname) {
            hostname = newHostname;
            return this;
        }

        /** Default: 1. */
        public Builder vcpus(int count) {
            vcpus = count;
            return this;
        }

        /** Default: 512 MiB. */
        public Builder memory(MemorySize size) {
            memory = size;
            return this;
        }

        public Builder hypervisor(HypervisorConfig config) {
            hypervisor = config;
            return this;
        }

        /** Default: {@link NetworkConfig#none}. */
        public Builder network(NetworkConfig newNetwork) {
            network = newNetwork;
            return this;
        }

        /** Default: where this process runs. */
        public Builder cgroup(HostCgroup group) {
            cgroup = Optional.of(group);
            return this;
        }

        /** Starts it as a clone; see {@link SandboxConfig#template}. Default: false. */
        public Builder template(boolean cloned) {
            template = cloned;
            return this;
        }

        /** Lets it outlive this Java process; see {@link SandboxConfig#detached}. Default: false. */
        public Builder detached(boolean outlives) {
            detached = outlives;
            return this;
        }

        /** Adds annotations. Default: none. */
        public Builder annotations(Map<String, String> more) {
            annotations.putAll(more);
            return this;
        }

        /** Default: 60 s, for a guest under software emulation on a busy host. */
        public Builder bootDeadline(Duration deadline) {
            bootDeadline = deadline;
            return this;
        }

        public SandboxConfig build() {
            return new SandboxConfig(
                    id,
                    hostname,
                    vcpus,
                    memory,
                    hypervisor,
                    network,
                    cgroup,
                    template,
                    detached,
                    annotations,
                    bootDeadline);
        }
    }
}
