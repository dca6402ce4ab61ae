// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AgentChannel;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.UnsupportedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AgentChannelsTest {
    @TempDir
    Path directory;

    private Path device() throws IOException {
        Path device = directory.resolve("vhost-vsock");
        return Files.exists(device) ? device : Files.createFile(device);
    }

    private Path missing() {
        return directory.resolve("missing");
    }

    private static AgentChannels.Choice choose(Path device, AgentChannel wanted, String... kernelParameters) {
        return new AgentChannels(device)
                .choose(HypervisorConfig.builder()
                        .agentChannel(wanted)
                        .kernelParameters(kernelParameters)
                        .build());
    }

    @Test
    void autoIsVsockWhereItsDeviceCanBeOpened() throws IOException {
        AgentChannels.Choice choice = choose(device(), AgentChannel.AUTO);
        assertThat(choice.devices()).isInstanceOf(AgentDevices.Vsock.class).isNotEqualTo(choice.devices());
        assertThat(choice.reason()).isEqualTo(device() + " can be used");
    }

    @Test
    void autoIsVirtioSerialElseAndSaysWhy() throws IOException {
        AgentChannels.Choice absent = choose(missing(), AgentChannel.AUTO);
        assertThat(absent.devices()).isEqualTo(new AgentDevices.Serial(false));
        assertThat(absent.reason()).contains("there is no " + missing()).contains("modprobe vhost_vsock");
        AgentChannels.Choice unusable = choose(directory, AgentChannel.AUTO);
        assertThat(unusable.devices()).isEqualTo(new AgentDevices.Serial(false));
        assertThat(unusable.reason()).contains("cannot open " + directory);
        AgentChannels.Choice forbidden = choose(device(), AgentChannel.AUTO, "agent.use_vsock=false");
        assertThat(forbidden.devices()).isEqualTo(new AgentDevices.Serial(false));
        assertThat(forbidden.reason()).contains("agent.use_vsock=false forbids");
    }

    @Test
    void whatIsAskedForIsTaken() throws IOException {
        assertThat(choose(device(), AgentChannel.VIRTIO_SERIAL).devices()).isEqualTo(new AgentDevices.Serial(false));
        assertThat(choose(device(), AgentChannel.VIRTIO_SERIAL_YAMUX).devices())
                .isEqualTo(new AgentDevices.Serial(true));
        assertThat(choose(device(), AgentChannel.VSOCK).devices()).isInstanceOf(AgentDevices.Vsock.class);
    }

    @Test
    void vsockThatIsAskedForAndMissingIsAProblemOfTheHost() {
        assertThatThrownBy(() -> choose(missing(), AgentChannel.VSOCK))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("VSOCK")
                .hasMessageContaining("there is no " + missing())
                .hasMessageContaining("choose AUTO or VIRTIO_SERIAL");
    }

    @Test
    void hybridVsockIsNotForQemu() {
        assertThatThrownBy(() -> choose(missing(), AgentChannel.HYBRID_VSOCK))
                .isInstanceOf(UnsupportedException.class)
                .hasMessageContaining("HYBRID_VSOCK")
                .hasMessageContaining("QEMU")
                .hasMessageContaining("choose VSOCK, or VIRTIO_SERIAL");
    }
}
