// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.testkit;

import io.virtcontainers.Device;
import io.virtcontainers.spi.Agent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

class FakeAgentContractTest extends AgentTck {
    @TempDir
    static Path directory;

    @Override
    protected AgentSession open() {
        FakeHypervisor hypervisor = new FakeHypervisor();
        FakeAgents agents = new FakeAgents();
        FakeVirtualMachine machine = TestMachines.launch(hypervisor, newDirectory());
        return new AgentSession() {
            @Override
            public Agent connect(int channel) {
                return agents.connect(machine.channels().get(channel));
            }

            @Override
            public String plugRootfs(String diskId) {
                return machine.addDevice(new Device.Block(diskId, TestMachines.DISK, true), TestMachines.soon());
            }

            @Override
            public void unplugRootfs(String diskId) {
                machine.removeDevice(diskId, TestMachines.soon());
            }

            @Override
            public void close() {
                machine.stop(TestMachines.soon());
            }
        };
    }

    private static Path newDirectory() {
        try {
            return Files.createTempDirectory(directory, "machine");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    protected List<String> exitWith(int code) {
        return List.of("exit", Integer.toString(code));
    }
}
