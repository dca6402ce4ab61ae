// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A container to create in a sandbox.
 *
 * @param id unique in its sandbox: 1 to 64 letters, digits, {@code _ . -}, beginning with a letter or digit
 * @param rootfs its root file system
 * @param readOnlyRootfs whether the container sees its root file system read-only (OCI {@code root.readonly})
 * @param process its init process
 */
public record ContainerConfig(String id, RootFs rootfs, boolean readOnlyRootfs, ProcessConfig process) {
    public ContainerConfig {
        Ids.require("container id", id);
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

        public ContainerConfig build() {
            if (rootfs == null) {
                throw new InvalidConfigException("container " + id + " has no root file system: set rootfs(...)");
            }
            if (process == null) {
                throw new InvalidConfigException("container " + id + " has no command: set command(...)");
            }
            return new ContainerConfig(id, rootfs, readOnlyRootfs, process);
        }
    }
}
