// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.Empty;
import io.grpc.Status;
import io.virtcontainers.AgentException;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestPath;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.RootFs;
import io.virtcontainers.agent.kata.protocol.AgentDetails;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.CopyFileRequest;
import io.virtcontainers.agent.kata.protocol.CreateContainerRequest;
import io.virtcontainers.agent.kata.protocol.CreateSandboxRequest;
import io.virtcontainers.agent.kata.protocol.Device;
import io.virtcontainers.agent.kata.protocol.GuestDetailsResponse;
import io.virtcontainers.agent.kata.protocol.KernelModule;
import io.virtcontainers.agent.kata.protocol.OnlineCPUMemRequest;
import io.virtcontainers.agent.kata.protocol.ReseedRandomDevRequest;
import io.virtcontainers.agent.kata.protocol.SetGuestDateTimeRequest;
import io.virtcontainers.agent.kata.protocol.Storage;
import io.virtcontainers.spi.ContainerRoot;
import io.virtcontainers.spi.GuestDetails;
import io.virtcontainers.spi.GuestDevice;
import io.virtcontainers.spi.GuestSandbox;
import io.virtcontainers.spi.GuestStorage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MachineCallsTest {
    private static final GuestPath TARGET = GuestPath.of("/run/kata-containers/file");
    private static final GuestStorage STORAGE =
            new GuestStorage("blk", "02/01", "ext4", List.of("ro"), GuestPath.of("/run/kata-containers/disk"));
    private static final Storage STORAGE_MESSAGE = Storage.newBuilder()
            .setDriver("blk")
            .setSource("02/01")
            .setFstype("ext4")
            .addOptions("ro")
            .setMountPoint("/run/kata-containers/disk")
            .build();

    @TempDir
    private Path directory;

    private final Queue<CopyFileRequest> parts = new ConcurrentLinkedQueue<>();
    private Fixture f;

    @BeforeEach
    void connect() {
        f = new Fixture(directory);
        f.server.on(AgentServiceGrpc.getCopyFileMethod(), (part, answer) -> {
            parts.add(part);
            answer.onNext(Empty.getDefaultInstance());
            answer.onCompleted();
        });
    }

    @AfterEach
    void close() {
        f.close();
    }

    @Test
    void aSandboxIsDescribedInFull() {
        var seen = f.server.record(AgentServiceGrpc.getCreateSandboxMethod(), Empty.getDefaultInstance());
        GuestSandbox sandbox = new GuestSandbox(
                "demo",
                "h".repeat(70),
                List.of("nameserver 10.0.0.1", "options ndots:1"),
                List.of(STORAGE),
                true,
                Optional.of(GuestPath.of("/usr/share/oci/hooks")),
                List.of(new GuestSandbox.Module("dummy", List.of("numdummies=1"))));
        f.agent.createSandbox(sandbox, Fixture.soon());
        assertThat(seen.get())
                .isEqualTo(CreateSandboxRequest.newBuilder()
                        .setSandboxId("demo")
                        .setHostname("h".repeat(64))
                        .addDns("nameserver 10.0.0.1")
                        .addDns("options ndots:1")
                        .addStorages(STORAGE_MESSAGE)
                        .setSandboxPidns(true)
                        .setGuestHookPath("/usr/share/oci/hooks")
                        .addKernelModules(
                                KernelModule.newBuilder().setName("dummy").addParameters("numdummies=1"))
                        .build());
    }

    @Test
    void furtherStoragesFollowThoseOfTheRootFileSystem() {
        var seen = f.server.record(AgentServiceGrpc.getCreateContainerMethod(), Empty.getDefaultInstance());
        ContainerConfig container = ContainerConfig.builder("web")
                .rootfs(RootFs.image(Path.of("/web.img")))
                .command("true")
                .build();
        GuestDevice device = new GuestDevice("blk", "02/02", "", GuestPath.of("/dev/xda"));
        ContainerRoot root = ContainerRoot.layered("web", "blk", "02/1e");
        f.agent.createContainer(container, root, List.of(STORAGE), List.of(), List.of(device), Fixture.soon());
        CreateContainerRequest request = seen.get();
        assertThat(request.getStoragesList())
                .hasSize(3)
                .endsWith(STORAGE_MESSAGE)
                .startsWith(ContainerRequests.create(container, root).getStorages(0));
        assertThat(request.getDevicesList())
                .containsExactly(Device.newBuilder()
                        .setType("blk")
                        .setId("02/02")
                        .setContainerPath("/dev/xda")
                        .build());
    }

    @Test
    void aFileGoesInPartsWithItsModeAndOwner() throws Exception {
        byte[] content = new byte[(2 << 20) + 5];
        new Random(1).nextBytes(content);
        Path file = Files.write(directory.resolve("file"), content);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-x--x"));
        f.agent.copyFile(file, TARGET, Fixture.soon());
        assertThat(parts).extracting(CopyFileRequest::getOffset).containsExactly(0L, 1L << 20, 2L << 20);
        assertThat(parts).allSatisfy(part -> {
            assertThat(part.getPath()).isEqualTo(TARGET.value());
            assertThat(part.getFileSize()).isEqualTo(content.length);
            assertThat(part.getFileMode()).isEqualTo(0651);
        });
        int uid = (Integer) Files.getAttribute(file, "unix:uid");
        assertThat(parts).extracting(CopyFileRequest::getUid).containsOnly(uid);
        ByteString sent =
                ByteString.copyFrom(parts.stream().map(CopyFileRequest::getData).collect(Collectors.toList()));
        assertThat(sent.toByteArray()).isEqualTo(content);
    }

    @Test
    void anEmptyFileIsSentToo() throws Exception {
        f.agent.copyFile(Files.createFile(directory.resolve("file")), TARGET, Fixture.soon());
        assertThat(parts).hasSize(1);
    }

    @Test
    void theFirstRefusalEndsACopy() throws Exception {
        Path file = Files.write(directory.resolve("file"), new byte[2 << 20]);
        f.server.refuse(AgentServiceGrpc.getCopyFileMethod(), Status.RESOURCE_EXHAUSTED.withDescription("no space"));
        assertThatThrownBy(() -> f.agent.copyFile(file, TARGET, Fixture.soon()))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("CopyFile (to /run/kata-containers/file)")
                .hasMessageContaining("no space");
    }

    @Test
    void whatIsNoRegularFileIsNotCopied() {
        assertThatThrownBy(() -> f.agent.copyFile(directory, TARGET, Fixture.soon()))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("no regular file");
        assertThatThrownBy(() -> f.agent.copyFile(Path.of("/nowhere"), TARGET, Fixture.soon()))
                .isInstanceOf(HostSetupException.class)
                .hasMessageContaining("/nowhere");
        assertThat(parts).isEmpty();
    }

    @Test
    void theTimeIsSentInMicroseconds() {
        var seen = f.server.record(AgentServiceGrpc.getSetGuestDateTimeMethod(), Empty.getDefaultInstance());
        f.agent.setTime(Instant.ofEpochSecond(1_700_000_000, 999_999_999), Fixture.soon());
        assertThat(seen.get())
                .isEqualTo(SetGuestDateTimeRequest.newBuilder()
                        .setSec(1_700_000_000)
                        .setUsec(999_999)
                        .build());
    }

    @Test
    void eachSeedIsAnother() {
        var seen = f.server.record(AgentServiceGrpc.getReseedRandomDevMethod(), Empty.getDefaultInstance());
        f.agent.reseedRandom(Fixture.soon());
        ReseedRandomDevRequest first = seen.get();
        f.agent.reseedRandom(Fixture.soon());
        assertThat(first.getData().size()).isEqualTo(512);
        assertThat(seen.get()).isNotEqualTo(first);
    }

    @Test
    void processorsAndMemoryArePutToUseBeforeTheAnswer() {
        var seen = f.server.record(AgentServiceGrpc.getOnlineCPUMemMethod(), Empty.getDefaultInstance());
        f.agent.onlineCpus(3, Fixture.soon());
        assertThat(seen.get())
                .isEqualTo(OnlineCPUMemRequest.newBuilder()
                        .setWait(true)
                        .setNbCpus(3)
                        .setCpuOnly(true)
                        .build());
        f.agent.onlineMemory(Fixture.soon());
        assertThat(seen.get())
                .isEqualTo(OnlineCPUMemRequest.newBuilder().setWait(true).build());
        var probed = f.server.record(AgentServiceGrpc.getMemHotplugByProbeMethod(), Empty.getDefaultInstance());
        f.agent.probeMemory(List.of(1L << 32), Fixture.soon());
        assertThat(probed.get().getMemHotplugProbeAddrList()).containsExactly(1L << 32);
    }

    @Test
    void detailsAreReadAndChecked() {
        AgentDetails agent = AgentDetails.newBuilder()
                .setVersion("1.2")
                .addDeviceHandlers("blk")
                .addStorageHandlers("9p")
                .addStorageHandlers("9p")
                .setSupportsSeccomp(true)
                .build();
        f.server.answer(
                AgentServiceGrpc.getGetGuestDetailsMethod(),
                GuestDetailsResponse.newBuilder()
                        .setAgentDetails(agent)
                        .setMemBlockSizeBytes(128 << 20)
                        .build());
        assertThat(f.agent.details(Fixture.soon()))
                .isEqualTo(new GuestDetails(
                        "1.2", Optional.of(MemorySize.mib(128)), false, Set.of("blk"), Set.of("9p"), true));
        f.server.answer(
                AgentServiceGrpc.getGetGuestDetailsMethod(),
                GuestDetailsResponse.newBuilder()
                        .setAgentDetails(agent.toBuilder().setVersion("1\u001b[2J"))
                        .build());
        assertThatThrownBy(() -> f.agent.details(Fixture.soon()))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("version");
    }
}
