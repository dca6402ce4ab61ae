// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What runs the virtual machine, and how.
 *
 * @param accelerator default {@link Accelerator#AUTO}
 * @param binary the hypervisor's program; empty: found in {@code PATH}
 * @param kernel the guest's kernel, a bzImage or a vmlinux; its modules must be in {@code lib/modules/<version>} beside its
 *     directory or in {@code /lib/modules/<version>}. Empty: one that is found on the host
 * @param root what the guest runs; default {@link GuestRoot#builtIn}
 * @param kernelParameters appended to the kernel's command line, in order
 * @param agentChannel default {@link AgentChannel#AUTO}
 * @param machine the machine that is emulated
 * @param memory where the guest's memory comes from
 * @param block its disks
 * @param sharedFs how directories of the host are shared with it
 * @param user the user of the host as whom the hypervisor runs, if this process is root; empty: as this process does
 */
public record HypervisorConfig(
        Accelerator accelerator,
        Optional<Path> binary,
        Optional<Path> kernel,
        GuestRoot root,
        List<String> kernelParameters,
        AgentChannel agentChannel,
        MachineConfig machine,
        GuestMemoryConfig memory,
        BlockConfig block,
        SharedFsConfig sharedFs,
        Optional<String> user) {
    private static final Pattern USER = Pattern.compile("[a-z_][a-z0-9_-]{0,30}[$]?");

    private static final HypervisorConfig DEFAULTS = builder().build();

    public HypervisorConfig {
        kernelParameters = List.copyOf(kernelParameters);
        for (String parameter : kernelParameters) {
            if (parameter.isBlank() || parameter.chars().anyMatch(c -> c < ' ')) {
                throw new InvalidConfigException(
                        "kernel parameter", '"' + parameter + '"', "is blank or contains a control character");
            }
        }
        user.filter(name -> !USER.matcher(name).matches()).ifPresent(name -> {
            throw new InvalidConfigException("hypervisor user", '"' + name + '"', "is no name of a user");
        });
    }

    public static HypervisorConfig defaults() {
        return DEFAULTS;
    }

    public static Builder builder() {
        return new Builder();
    }

    /** Collects the settings of a {@link HypervisorConfig}; not thread-safe. */
    public static final class Builder {
        private Accelerator accelerator = Accelerator.AUTO;
        private @Nullable Path binary;
        private @Nullable Path kernel;
        private GuestRoot root = GuestRoot.builtIn();
        private final List<String> kernelParameters = new ArrayList<>();
        private AgentChannel agentChannel = AgentChannel.AUTO;
        private MachineConfig machine = MachineConfig.defaults();
        private GuestMemoryConfig memory = GuestMemoryConfig.defaults();
        private BlockConfig block = BlockConfig.defaults();
        private SharedFsConfig sharedFs = SharedFsConfig.defaults();
        private @Nullable String user;

        private Builder() {}

        /** Default: {@link Accelerator#AUTO}. */
        public Builder accelerator(Accelerator newAccelerator) {
            accelerator = newAccelerator;
            return this;
        }

        /** Default: found in {@code PATH}. */
        public Builder binary(Path program) {
            binary = program;
            return this;
        }

        /** Default: one that is found on the host. */
        public Builder kernel(Path file) {
            kernel = file;
            return this;
        }

        /** Default: {@link GuestRoot#builtIn}. */
        public Builder root(GuestRoot newRoot) {
            root = newRoot;
            return this;
        }

        /** Adds to the end of the kernel's command line. Default: nothing. */
        public Builder kernelParameters(String... parameters) {
            kernelParameters.addAll(List.of(parameters));
            return this;
        }

        /** Default: {@link AgentChannel#AUTO}. */
        public Builder agentChannel(AgentChannel newAgentChannel) {
            agentChannel = newAgentChannel;
            return this;
        }

        /** Default: {@link MachineConfig#defaults}. */
        public Builder machine(MachineConfig newMachine) {
            machine = newMachine;
            return this;
        }

        /** Default: {@link GuestMemoryConfig#defaults}. */
        public Builder memory(GuestMemoryConfig newMemory) {
            memory = newMemory;
            return this;
        }

        /** Default: {@link BlockConfig#defaults}. */
        public Builder block(BlockConfig newBlock) {
            block = newBlock;
            return this;
        }

        /** Default: {@link SharedFsConfig#defaults}, which shares nothing. */
        public Builder sharedFs(SharedFsConfig newSharedFs) {
            sharedFs = newSharedFs;
            return this;
        }

        /** Shares directories of the host in this way, all else by default. */
        public Builder sharedFs(SharedFs type) {
            return sharedFs(SharedFsConfig.defaults().withType(type));
        }

        /** Default: the user of this process. */
        public Builder user(String name) {
            user = name;
            return this;
        }

        public HypervisorConfig build() {
            return new HypervisorConfig(
                    accelerator,
                    Optional.ofNullable(binary),
                    Optional.ofNullable(kernel),
                    root,
                    kernelParameters,
                    agentChannel,
                    machine,
                    memory,
                    block,
                    sharedFs,
                    Optional.ofNullable(user));
        }
    }
}
