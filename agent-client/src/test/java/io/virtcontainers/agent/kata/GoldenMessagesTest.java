// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.virtcontainers.agent.kata.protocol.ARPNeighbors;
import io.virtcontainers.agent.kata.protocol.AddARPNeighborsRequest;
import io.virtcontainers.agent.kata.protocol.AgentDetails;
import io.virtcontainers.agent.kata.protocol.BlkioStats;
import io.virtcontainers.agent.kata.protocol.BlkioStatsEntry;
import io.virtcontainers.agent.kata.protocol.Box;
import io.virtcontainers.agent.kata.protocol.CgroupStats;
import io.virtcontainers.agent.kata.protocol.CopyFileRequest;
import io.virtcontainers.agent.kata.protocol.CpuStats;
import io.virtcontainers.agent.kata.protocol.CpuUsage;
import io.virtcontainers.agent.kata.protocol.CreateContainerRequest;
import io.virtcontainers.agent.kata.protocol.CreateSandboxRequest;
import io.virtcontainers.agent.kata.protocol.Device;
import io.virtcontainers.agent.kata.protocol.ExecProcessRequest;
import io.virtcontainers.agent.kata.protocol.GuestDetailsResponse;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse.ServingStatus;
import io.virtcontainers.agent.kata.protocol.HugetlbStats;
import io.virtcontainers.agent.kata.protocol.KernelModule;
import io.virtcontainers.agent.kata.protocol.Linux;
import io.virtcontainers.agent.kata.protocol.LinuxCPU;
import io.virtcontainers.agent.kata.protocol.LinuxCapabilities;
import io.virtcontainers.agent.kata.protocol.LinuxDevice;
import io.virtcontainers.agent.kata.protocol.LinuxDeviceCgroup;
import io.virtcontainers.agent.kata.protocol.LinuxMemory;
import io.virtcontainers.agent.kata.protocol.LinuxNamespace;
import io.virtcontainers.agent.kata.protocol.LinuxPids;
import io.virtcontainers.agent.kata.protocol.LinuxResources;
import io.virtcontainers.agent.kata.protocol.LinuxSeccomp;
import io.virtcontainers.agent.kata.protocol.LinuxSeccompArg;
import io.virtcontainers.agent.kata.protocol.LinuxSyscall;
import io.virtcontainers.agent.kata.protocol.ListProcessesResponse;
import io.virtcontainers.agent.kata.protocol.MemHotplugByProbeRequest;
import io.virtcontainers.agent.kata.protocol.MemoryData;
import io.virtcontainers.agent.kata.protocol.MemoryStats;
import io.virtcontainers.agent.kata.protocol.Mount;
import io.virtcontainers.agent.kata.protocol.NetworkStats;
import io.virtcontainers.agent.kata.protocol.OOMEvent;
import io.virtcontainers.agent.kata.protocol.OnlineCPUMemRequest;
import io.virtcontainers.agent.kata.protocol.POSIXRlimit;
import io.virtcontainers.agent.kata.protocol.PidsStats;
import io.virtcontainers.agent.kata.protocol.Process;
import io.virtcontainers.agent.kata.protocol.ReadStreamRequest;
import io.virtcontainers.agent.kata.protocol.ReadStreamResponse;
import io.virtcontainers.agent.kata.protocol.ReseedRandomDevRequest;
import io.virtcontainers.agent.kata.protocol.Root;
import io.virtcontainers.agent.kata.protocol.Routes;
import io.virtcontainers.agent.kata.protocol.SetGuestDateTimeRequest;
import io.virtcontainers.agent.kata.protocol.SignalProcessRequest;
import io.virtcontainers.agent.kata.protocol.Spec;
import io.virtcontainers.agent.kata.protocol.StatsContainerResponse;
import io.virtcontainers.agent.kata.protocol.Storage;
import io.virtcontainers.agent.kata.protocol.ThrottlingData;
import io.virtcontainers.agent.kata.protocol.UpdateInterfaceRequest;
import io.virtcontainers.agent.kata.protocol.UpdateRoutesRequest;
import io.virtcontainers.agent.kata.protocol.User;
import io.virtcontainers.agent.kata.protocol.VersionCheckResponse;
import io.virtcontainers.agent.kata.protocol.WaitProcessResponse;
import io.virtcontainers.agent.kata.protocol.WriteStreamRequest;
import io.virtcontainers.agent.kata.protocol.types.ARPNeighbor;
import io.virtcontainers.agent.kata.protocol.types.IPAddress;
import io.virtcontainers.agent.kata.protocol.types.IPFamily;
import io.virtcontainers.agent.kata.protocol.types.Interface;
import io.virtcontainers.agent.kata.protocol.types.Route;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Messages whose bytes were written by hand in {@code agent-messages.hex} are what these builders make, and back. */
class GoldenMessagesTest {
    private static final Map<String, byte[]> GOLDEN = Arrays.stream(
                    FieldTable.resource("agent-messages.hex").split("\n\n"))
            .filter(block -> !block.startsWith("#"))
            .map(block -> block.split("\n", 2))
            .collect(Collectors.toMap(
                    block -> block[0],
                    block -> HexFormat.of().parseHex(block[1].replaceAll("#.*|\\s", "")),
                    (a, b) -> {
                        throw new IllegalStateException("a message is there twice");
                    },
                    LinkedHashMap::new));

    static Stream<Message> messages() {
        return Stream.of(
                createContainer(),
                ExecProcessRequest.newBuilder()
                        .setContainerId("c1")
                        .setExecId("e1")
                        .setProcess(Process.newBuilder()
                                .setTerminal(true)
                                .setConsoleSize(Box.newBuilder().setHeight(24).setWidth(80))
                                .setUser(User.getDefaultInstance())
                                .addArgs("id")
                                .setCwd("/"))
                        .build(),
                SignalProcessRequest.newBuilder()
                        .setContainerId("c1")
                        .setExecId("e1")
                        .setSignal(15)
                        .build(),
                WaitProcessResponse.newBuilder().setStatus(-1).build(),
                ListProcessesResponse.newBuilder()
                        .setProcessList(ByteString.copyFromUtf8("[1,22]"))
                        .build(),
                WriteStreamRequest.newBuilder()
                        .setContainerId("c1")
                        .setExecId("e1")
                        .setData(ByteString.copyFromUtf8("hi"))
                        .build(),
                ReadStreamRequest.newBuilder()
                        .setContainerId("c1")
                        .setExecId("c1")
                        .setLen(1 << 20)
                        .build(),
                ReadStreamResponse.newBuilder()
                        .setData(ByteString.copyFrom(new byte[] {0, -1, '\n'}))
                        .build(),
                stats(),
                createSandbox(),
                UpdateInterfaceRequest.newBuilder()
                        .setInterface(Interface.newBuilder()
                                .setDevice("eth0")
                                .setName("eth0")
                                .addIPAddresses(ip("fd00::2", "64").setFamily(IPFamily.v6))
                                .addIPAddresses(ip("10.0.0.2", "24").setFamily(IPFamily.v4))
                                .setMtu(1500)
                                .setHwAddr("02:00:00:00:00:01")
                                .setPciPath("02/01")
                                .setRawFlags(0x80))
                        .build(),
                UpdateRoutesRequest.newBuilder()
                        .setRoutes(Routes.newBuilder()
                                .addRoutes(Route.newBuilder()
                                        .setGateway("10.0.0.1")
                                        .setDevice("eth0"))
                                .addRoutes(Route.newBuilder()
                                        .setDest("10.0.0.0/24")
                                        .setDevice("eth0")
                                        .setSource("10.0.0.2")
                                        .setScope(253)))
                        .build(),
                AddARPNeighborsRequest.newBuilder()
                        .setNeighbors(ARPNeighbors.newBuilder()
                                .addARPNeighbors(ARPNeighbor.newBuilder()
                                        .setToIPAddress(ip("10.0.0.9", ""))
                                        .setDevice("eth0")
                                        .setLladdr("02:00:00:00:00:09")
                                        .setState(0x80)))
                        .build(),
                CopyFileRequest.newBuilder()
                        .setPath("/run/x")
                        .setFileSize(4096)
                        .setFileMode(0644)
                        .setDirMode(0755)
                        .setUid(1)
                        .setGid(2)
                        .setOffset(5)
                        .setData(ByteString.copyFromUtf8("ab"))
                        .build(),
                GuestDetailsResponse.newBuilder()
                        .setMemBlockSizeBytes(1 << 27)
                        .setAgentDetails(AgentDetails.newBuilder()
                                .setVersion("1.0")
                                .setInitDaemon(true)
                                .addDeviceHandlers("blk")
                                .addStorageHandlers("9p")
                                .setSupportsSeccomp(true))
                        .setSupportMemHotplugProbe(true)
                        .build(),
                OnlineCPUMemRequest.newBuilder()
                        .setWait(true)
                        .setNbCpus(4)
                        .setCpuOnly(true)
                        .build(),
                MemHotplugByProbeRequest.newBuilder()
                        .addMemHotplugProbeAddr(1 << 30)
                        .addMemHotplugProbeAddr((1 << 30) + (1 << 27))
                        .build(),
                SetGuestDateTimeRequest.newBuilder()
                        .setSec(1_700_000_000)
                        .setUsec(999_999)
                        .build(),
                ReseedRandomDevRequest.newBuilder()
                        .setData(ByteString.copyFrom(new byte[] {7}))
                        .build(),
                LinuxMemory.newBuilder().setDisableOOMKiller(true).build(),
                OOMEvent.newBuilder().setContainerId("c1").build(),
                HealthCheckResponse.newBuilder()
                        .setStatus(ServingStatus.SERVING)
                        .build(),
                VersionCheckResponse.newBuilder()
                        .setGrpcVersion("0.0.1")
                        .setAgentVersion("1.0")
                        .build());
    }

    @ParameterizedTest
    @MethodSource("messages")
    void isThatOfTheBytes(Message message) throws Exception {
        byte[] golden = GOLDEN.get(message.getDescriptorForType().getFullName());
        assertThat(HexFormat.of().formatHex(message.toByteArray()))
                .isEqualTo(HexFormat.of().formatHex(golden));
        assertThat(message.getParserForType().parseFrom(golden)).isEqualTo(message);
    }

    @Test
    void everyGoldenMessageIsCompared() {
        List<String> compared = messages()
                .map(message -> message.getDescriptorForType().getFullName())
                .toList();
        assertThat(compared).containsExactlyElementsOf(GOLDEN.keySet());
    }

    private static IPAddress.Builder ip(String address, String mask) {
        return IPAddress.newBuilder().setAddress(address).setMask(mask);
    }

    private static CreateContainerRequest createContainer() {
        return CreateContainerRequest.newBuilder()
                .setContainerId("c1")
                .setExecId("c1")
                .addDevices(Device.newBuilder().setId("02/01").setType("blk").setContainerPath("/dev/x"))
                .addStorages(Storage.newBuilder()
                        .setDriver("blk")
                        .setSource("02/01")
                        .setFstype("erofs")
                        .addOptions("ro")
                        .setMountPoint("/m"))
                .setOCI(Spec.newBuilder()
                        .setVersion("1.0.2")
                        .setProcess(Process.newBuilder()
                                .setTerminal(true)
                                .setUser(User.newBuilder()
                                        .setUID(1000)
                                        .setGID(100)
                                        .addAdditionalGids(10)
                                        .addAdditionalGids(300))
                                .addArgs("sh")
                                .addEnv("A=b")
                                .setCwd("/")
                                .setCapabilities(LinuxCapabilities.newBuilder().addBounding("CAP_KILL"))
                                .addRlimits(POSIXRlimit.newBuilder()
                                        .setType("RLIMIT_CORE")
                                        .setHard(-1))
                                .setNoNewPrivileges(true)
                                .setOOMScoreAdj(-500))
                        .setRoot(Root.newBuilder().setPath("/r").setReadonly(true))
                        .addMounts(Mount.newBuilder()
                                .setDestination("/proc")
                                .setSource("proc")
                                .setType("proc")
                                .addOptions("nosuid"))
                        .putAnnotations("k", "v")
                        .setLinux(linux()))
                .setSandboxPidns(true)
                .build();
    }

    private static Linux.Builder linux() {
        return Linux.newBuilder()
                .putSysctl("a", "1")
                .setResources(LinuxResources.newBuilder()
                        .addDevices(LinuxDeviceCgroup.newBuilder().setType("a").setAccess("rwm"))
                        .setMemory(LinuxMemory.newBuilder().setLimit(1 << 26))
                        .setCPU(LinuxCPU.newBuilder().setShares(512).setQuota(-1))
                        .setPids(LinuxPids.newBuilder().setLimit(50)))
                .setCgroupsPath("/c1")
                .addNamespaces(LinuxNamespace.newBuilder().setType("pid"))
                .addDevices(LinuxDevice.newBuilder()
                        .setPath("/dev/x")
                        .setType("b")
                        .setMajor(254)
                        .setMinor(16)
                        .setFileMode(0660))
                .setSeccomp(LinuxSeccomp.newBuilder()
                        .setDefaultAction("SCMP_ACT_ERRNO")
                        .addArchitectures("SCMP_ARCH_X86_64")
                        .addSyscalls(LinuxSyscall.newBuilder()
                                .addNames("read")
                                .setAction("SCMP_ACT_ALLOW")
                                .addArgs(LinuxSeccompArg.newBuilder()
                                        .setIndex(1)
                                        .setValue(2)
                                        .setOp("SCMP_CMP_EQ"))))
                .addMaskedPaths("/proc/kcore")
                .addReadonlyPaths("/proc/sys");
    }

    private static StatsContainerResponse stats() {
        return StatsContainerResponse.newBuilder()
                .setCgroupStats(CgroupStats.newBuilder()
                        .setCpuStats(CpuStats.newBuilder()
                                .setCpuUsage(CpuUsage.newBuilder()
                                        .setTotalUsage(300)
                                        .addPercpuUsage(1)
                                        .addPercpuUsage(2)
                                        .setUsageInKernelmode(100)
                                        .setUsageInUsermode(200))
                                .setThrottlingData(ThrottlingData.newBuilder()
                                        .setPeriods(5)
                                        .setThrottledPeriods(1)
                                        .setThrottledTime(1024)))
                        .setMemoryStats(MemoryStats.newBuilder()
                                .setCache(4096)
                                .setUsage(MemoryData.newBuilder()
                                        .setUsage(1)
                                        .setMaxUsage(2)
                                        .setFailcnt(3)
                                        .setLimit(-1))
                                .setSwapUsage(MemoryData.newBuilder().setUsage(9))
                                .setKernelUsage(MemoryData.newBuilder().setUsage(7))
                                .setUseHierarchy(true)
                                .putStats("rss", 1000))
                        .setPidsStats(PidsStats.newBuilder().setCurrent(2).setLimit(50))
                        .setBlkioStats(BlkioStats.newBuilder()
                                .addIoServiceBytesRecursive(BlkioStatsEntry.newBuilder()
                                        .setMajor(254)
                                        .setOp("Read")
                                        .setValue(512))
                                .addIoServicedRecursive(BlkioStatsEntry.newBuilder()
                                        .setMajor(254)
                                        .setMinor(16)
                                        .setOp("Write")
                                        .setValue(1)))
                        .putHugetlbStats(
                                "2MB",
                                HugetlbStats.newBuilder()
                                        .setUsage(4)
                                        .setMaxUsage(8)
                                        .setFailcnt(1)
                                        .build()))
                .addNetworkStats(NetworkStats.newBuilder()
                        .setName("eth0")
                        .setRxBytes(1)
                        .setRxPackets(2)
                        .setRxErrors(3)
                        .setRxDropped(4)
                        .setTxBytes(5)
                        .setTxPackets(6)
                        .setTxErrors(7)
                        .setTxDropped(8))
                .build();
    }

    private static CreateSandboxRequest createSandbox() {
        return CreateSandboxRequest.newBuilder()
                .setHostname("h")
                .addDns("nameserver 10.0.0.1")
                .addStorages(Storage.newBuilder()
                        .setDriver("ephemeral")
                        .setSource("shm")
                        .setFstype("tmpfs")
                        .addOptions("mode=1777")
                        .setMountPoint("/run/kata-containers/sandbox/shm"))
                .setSandboxPidns(true)
                .setSandboxId("s")
                .setGuestHookPath("/hooks")
                .addKernelModules(KernelModule.newBuilder().setName("dummy").addParameters("n=1"))
                .build();
    }
}
