// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.Ids;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A container to create in a sandbox.
 *
 * @param id unique in its sandbox: 1 to 64 letters, digits, {@code _ . -}, beginning with a letter or digit
 * @param rootfs its root file system
 * @param readOnlyRootfs whether the container sees its root file system read-only (OCI {@code root.readonly})
 * @param process its init process
 * @param resources its limits
 * @param mounts what it sees besides its root file system, in the order of mounting
 * @param sharedPidNamespace whether it sees the processes of the sandbox's other containers that share too, as with
 *     Kubernetes' {@code shareProcessNamespace}
 * @param annotations what the caller wants to remember with it
 * @param spec an OCI runtime-spec configuration for the guest, as JSON. What the fields above say replaces its counterpart;
 *     all else (mounts, namespaces, capabilities, seccomp, sysctl ...) is taken from it. Empty: safe defaults. The module
 *     {@code oci} makes it from a bundle
 */
public record ContainerConfig(
        String id,
        RootFs rootfs,
        boolean readOnlyRootfs,
        ProcessConfig process,
        Resources resources,
        List<Mount> mounts,
        boolean sharedPidNamespace,
        Map<String, String> annotations,
        Optional<String> spec) {
    public ContainerConfig {
        Ids.require("container id", id);
        mounts = List.copyOf(mounts);
        annotations = Map.copyOf(annotations);
    }

    /** The same with other annotations. */
    public ContainerConfig withAnnotations(Map<String, String> all) {
        return new ContainerConfig(
                id, rootfs, readOnlyRootfs, process, resources, mounts, sharedPidNamespace, all, spec);
    }

    /** The same with other limits. */
    public ContainerConfig withResources(Resources limits) {
        return new ContainerConfig(
                id, rootfs, readOnlyRootfs, process, limits, mounts, sharedPidNamespace, annotations, spec);
    }

    public static Builder builder(String id) {
        return new Builder(id);
    }

    /** Collects the settings of a {@link ContainerConfig}; not thread-safe. */
    public static final class Builder {
        private final String id;
        private @Nullable RootFs rootfs;
        private boolean readOnlyRootfs;
        private @Nullable ProcessConfig process;
        private Resources resources = Resources.none();
        private final List<Mount> mounts = new ArrayList<>();
        private boolean sharedPidNamespace;
        private final Map<String, String> annotations = new HashMap<>();
        private Optional<String> spec = Optional.empty();

        private Builder(String id) {
            this.id = id;
        }

        /** Required. */
        public Builder rootfs(RootFs newRootfs) {
            rootfs = newRootfs;
            return this;
        }

        /** Default: false. */
        public Builder readOnlyRootfs(boolean readOnly) {
            readOnlyRootfs = readOnly;
            return this;
        }

        /** The program and its arguments, all else by default. This or {@link #process} is required. */
        public Builder command(String... command) {
            return process(ProcessConfig.of(command));
        }

        /** As {@link #command(String...)}. */
        public Builder command(List<String> command) {
            return process(ProcessConfig.builder(command).build());
        }

        public Builder process(ProcessConfig newProcess) {
            process = newProcess;
            return this;
        }

        /** Default: no limit but those of the sandbox. */
        public Builder resources(Resources limits) {
            resources = limits;
            return this;
        }

        /** Adds mounts. Default: none. */
        public Builder mounts(Mount... more) {
            mounts.addAll(List.of(more));
            return this;
        }

        /** Lets it share the PID namespace of the sandbox. Default: one of its own. */
        public Builder sharedPidNamespace(boolean shared) {
            sharedPidNamespace = shared;
            return this;
        }

        /** Adds annotations. Default: none. */
        public Builder annotations(Map<String, String> more) {
            annotations.putAll(more);
            return this;
        }

        /** An OCI runtime-spec configuration for the guest, as JSON; see {@link ContainerConfig#spec}. Default: none. */
        public Builder spec(String json) {
            spec = Optional.of(json);
            return this;
        }

        public ContainerConfig build() {
            if (rootfs == null) {
                throw new InvalidConfigException("container " + id + " has no root file system: set rootfs(...)");
            }
            if (process == null) {
                throw new InvalidConfigException("container " + id + " has no command: set command(...)");
            }
            return new ContainerConfig(
                    id, rootfs, readOnlyRootfs, process, resources, mounts, sharedPidNamespace, annotations, spec);
        }
    }
}
