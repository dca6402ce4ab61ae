// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.Empty;
import io.grpc.Status;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.Resources;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.LinuxCPU;
import io.virtcontainers.agent.kata.protocol.LinuxMemory;
import io.virtcontainers.agent.kata.protocol.LinuxPids;
import io.virtcontainers.agent.kata.protocol.LinuxResources;
import io.virtcontainers.agent.kata.protocol.ListProcessesRequest;
import io.virtcontainers.agent.kata.protocol.ListProcessesResponse;
import io.virtcontainers.agent.kata.protocol.PauseContainerRequest;
import io.virtcontainers.agent.kata.protocol.ResumeContainerRequest;
import io.virtcontainers.agent.kata.protocol.StatsContainerRequest;
import io.virtcontainers.agent.kata.protocol.StatsContainerResponse;
import io.virtcontainers.agent.kata.protocol.UpdateContainerRequest;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContainerCallsTest {
    @TempDir
    private Path directory;

    private Fixture f;

    @BeforeEach
    void connect() {
        f = new Fixture(directory);
    }

    @AfterEach
    void close() {
        f.close();
    }

    @Test
    void pausesAndResumes() {
        var pause = f.server.record(AgentServiceGrpc.getPauseContainerMethod(), Empty.getDefaultInstance());
        var resume = f.server.record(AgentServiceGrpc.getResumeContainerMethod(), Empty.getDefaultInstance());
        f.agent.pauseContainer("web", Fixture.soon());
        f.agent.resumeContainer("web", Fixture.soon());
        assertThat(pause.get())
                .isEqualTo(
                        PauseContainerRequest.newBuilder().setContainerId("web").build());
        assertThat(resume.get())
                .isEqualTo(ResumeContainerRequest.newBuilder()
                        .setContainerId("web")
                        .build());
    }

    @Test
    void readsStats() {
        StatsContainerResponse.Builder answer = StatsContainerResponse.newBuilder();
        answer.getCgroupStatsBuilder().getPidsStatsBuilder().setCurrent(3);
        var stats = f.server.record(AgentServiceGrpc.getStatsContainerMethod(), answer.build());
        assertThat(f.agent.stats("web", Fixture.soon()).pids().current()).isEqualTo(3);
        assertThat(stats.get())
                .isEqualTo(
                        StatsContainerRequest.newBuilder().setContainerId("web").build());
    }

    @Test
    void updatesOnlyWhatIsSet() {
        var update = f.server.record(AgentServiceGrpc.getUpdateContainerMethod(), Empty.getDefaultInstance());
        f.agent.updateContainer("web", Resources.builder().cpuQuotaMicros(-1).build(), Fixture.soon());
        assertThat(update.get())
                .isEqualTo(UpdateContainerRequest.newBuilder()
                        .setContainerId("web")
                        .setResources(LinuxResources.newBuilder()
                                .setCPU(LinuxCPU.newBuilder().setQuota(-1)))
                        .build());
        Resources all = Resources.builder()
                .cpuShares(512)
                .cpuQuotaMicros(50_000)
                .cpuPeriodMicros(100_000)
                .cpus("0-1,3")
                .memoryLimit(MemorySize.mib(64))
                .memoryReservation(MemorySize.mib(32))
                .pidsLimit(-1)
                .build();
        f.agent.updateContainer("web", all, Fixture.soon());
        assertThat(update.get().getResources())
                .isEqualTo(LinuxResources.newBuilder()
                        .setCPU(LinuxCPU.newBuilder()
                                .setShares(512)
                                .setQuota(50_000)
                                .setPeriod(100_000)
                                .setCpus("0-1,3"))
                        .setMemory(LinuxMemory.newBuilder().setLimit(64 << 20).setReservation(32 << 20))
                        .setPids(LinuxPids.newBuilder().setLimit(-1))
                        .build());
    }

    @Test
    void refusesTheUpdateThatTheWireCannotExpress() {
        Resources zero =
                Resources.builder().memoryReservation(MemorySize.ofBytes(0)).build();
        assertThatThrownBy(() -> f.agent.updateContainer("web", zero, Fixture.soon()))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("memory reservation 0");
    }

    @Test
    void listsPids() {
        var list = f.server.record(
                AgentServiceGrpc.getListProcessesMethod(),
                ListProcessesResponse.newBuilder()
                        .setProcessList(ByteString.copyFromUtf8("[5,17]"))
                        .build());
        assertThat(f.agent.pids("web", Fixture.soon())).containsExactly(5L, 17L);
        assertThat(list.get())
                .isEqualTo(ListProcessesRequest.newBuilder()
                        .setContainerId("web")
                        .setFormat("json")
                        .build());
        f.server.refuse(AgentServiceGrpc.getListProcessesMethod(), Status.NOT_FOUND);
        assertThatThrownBy(() -> f.agent.pids("web", Fixture.soon())).isInstanceOf(NotFoundException.class);
    }

    @Test
    void showsATableOfProcesses() {
        var list = f.server.record(
                AgentServiceGrpc.getListProcessesMethod(),
                ListProcessesResponse.newBuilder()
                        .setProcessList(ByteString.copyFromUtf8("PID CMD\n5 sh\n"))
                        .build());
        assertThat(f.agent.processTable("web", List.of("-o", "pid,cmd"), Fixture.soon()))
                .isEqualTo("PID CMD\n5 sh\n");
        assertThat(list.get())
                .isEqualTo(ListProcessesRequest.newBuilder()
                        .setContainerId("web")
                        .setFormat("table")
                        .addArgs("-o")
                        .addArgs("pid,cmd")
                        .build());
    }
}
