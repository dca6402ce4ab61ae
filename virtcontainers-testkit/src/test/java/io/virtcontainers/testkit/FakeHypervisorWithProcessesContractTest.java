// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.spi.Hypervisor;
import io.virtcontainers.spi.VirtualMachine;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;

class FakeHypervisorWithProcessesContractTest extends HypervisorTck {
    @Override
    protected Hypervisor hypervisor() {
        return FakeHypervisor.withProcesses();
    }

    @Override
    protected VmConfig config(Path directory, boolean detached) {
        return TestMachines.config(directory, detached);
    }

    @Override
    protected VmConfig failingConfig(Path directory) {
        return config(directory.resolve("missing"), false);
    }

    @Override
    protected void awaitGuest(VirtualMachine machine) {
        // It lets go of disks from the start.
    }

    @Override
    protected Path diskImage() {
        return TestMachines.DISK;
    }
}
