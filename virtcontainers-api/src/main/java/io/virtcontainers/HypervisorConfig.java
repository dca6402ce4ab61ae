// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What runs the virtual machine, and how.
 *
 * @param accelerator default {@link Accelerator#AUTO}
 * @param binary the hypervisor's program; empty: found in {@code PATH}
 * @param kernel the guest's kernel, a bzImage or a vmlinux; its modules must be in {@code lib/modules/<version>} beside its
 *     directory or in {@code /lib/modules/<version>}. Empty: one that is found on the host
 * @param kernelParameters appended to the kernel's command line, in order
 */
public record HypervisorConfig(
        Accelerator accelerator, Optional<Path> binary, Optional<Path> kernel, List<String> kernelParameters) {
    private static final HypervisorConfig DEFAULTS =
            new HypervisorConfig(Accelerator.AUTO, Optional.empty(), Optional.empty(), List.of());

    public HypervisorConfig {
        kernelParameters = List.copyOf(kernelParameters);
        for (String parameter : kernelParameters) {
            if (parameter.isBlank() || parameter.chars().anyMatch(c -> c < ' ')) {
                throw new InvalidConfigException(
                        "kernel parameter", '"' + parameter + '"', "is blank or contains a control character");
            }
        }
    }

    public static HypervisorConfig defaults() {
        return DEFAULTS;
    }

    public HypervisorConfig withAccelerator(Accelerator newAccelerator) {
        return new HypervisorConfig(newAccelerator, binary, kernel, kernelParameters);
    }

    public HypervisorConfig withBinary(Path newBinary) {
        return new HypervisorConfig(accelerator, Optional.of(newBinary), kernel, kernelParameters);
    }

    public HypervisorConfig withKernel(Path newKernel) {
        return new HypervisorConfig(accelerator, binary, Optional.of(newKernel), kernelParameters);
    }

    public HypervisorConfig withKernelParameters(String... parameters) {
        return new HypervisorConfig(accelerator, binary, kernel, List.of(parameters));
    }
}
