// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MemorySize;
import java.nio.file.Path;
import java.util.List;

/**
 * A virtual machine to launch.
 *
 * @param sandboxId the sandbox it belongs to
 * @param directory an existing private directory of the sandbox, for the backend's sockets and files
 * @param vcpus virtual processors, at least 1
 * @param memory the guest's memory
 * @param detached whether the machine outlives this Java process, and has channels for several processes
 * @param settings what the user chose
 * @param image what it boots
 * @param kernelParameters what the agent needs on the kernel's command line; the user's come after these
 */
public record VmConfig(
        String sandboxId,
        Path directory,
        int vcpus,
        MemorySize memory,
        boolean detached,
        HypervisorConfig settings,
        GuestImage image,
        List<String> kernelParameters) {
    public VmConfig {
        kernelParameters = List.copyOf(kernelParameters);
    }
}
