// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.MemorySize;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.Phases;
import io.virtcontainers.spi.VmConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** What the tests of the fakes launch. */
final class TestMachines {
    static final Phases NO_PHASES = name -> () -> {};

    /** Any readable file will do. */
    static final Path DISK = Path.of("/etc/passwd");

    private TestMachines() {}

    static VmConfig config(Path directory, boolean detached) {
        return new VmConfig(
                "demo",
                directory,
                1,
                MemorySize.mib(128),
                detached,
                HypervisorConfig.defaults(),
                new GuestImage(Path.of("vmlinux"), Path.of("initrd"), "6.1.0-fake"),
                List.of());
    }

    static FakeVirtualMachine launch(FakeHypervisor hypervisor, Path directory) {
        return (FakeVirtualMachine) hypervisor.launch(config(directory, true), NO_PHASES, soon());
    }

    static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(20));
    }
}
