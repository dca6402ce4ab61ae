// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.TextFormat;
import io.virtcontainers.Capabilities;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestPath;
import io.virtcontainers.MemorySize;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Resources;
import io.virtcontainers.Rlimit;
import io.virtcontainers.RootFs;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.User;
import io.virtcontainers.agent.kata.protocol.CreateContainerRequest;
import io.virtcontainers.agent.kata.protocol.LinuxCPU;
import io.virtcontainers.agent.kata.protocol.LinuxCapabilities;
import io.virtcontainers.agent.kata.protocol.LinuxMemory;
import io.virtcontainers.agent.kata.protocol.LinuxResources;
import io.virtcontainers.agent.kata.protocol.POSIXRlimit;
import io.virtcontainers.agent.kata.protocol.Process;
import io.virtcontainers.agent.kata.protocol.Spec;
import io.virtcontainers.spi.ContainerRoot;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class OciSpecsTest {
    @Test
    void aWholeRequestIsAsTheGoldenFileSays() throws Exception {
        ContainerConfig container = ContainerConfig.builder("web")
                .rootfs(RootFs.image(Path.of("web.erofs")))
                .readOnlyRootfs(true)
                .process(ProcessConfig.builder("sh", "-c", "echo hi")
                        .environment("LANG", "C.UTF-8")
                        .workingDirectory("/srv")
                        .build())
                .build();
        CreateContainerRequest request =
                ContainerRequests.create(container, ContainerRoot.layered(container.id(), "blk", "02/1e"));
        CreateContainerRequest golden;
        try (InputStream in = OciSpecsTest.class.getResourceAsStream("/create-container.golden")) {
            golden = TextFormat.parse(
                    new String(in.readAllBytes(), StandardCharsets.UTF_8), CreateContainerRequest.class);
        }
        assertThat(request).isEqualTo(golden);
        assertThat(request.getOCI().getLinux().hasResources())
                .as("present though empty")
                .isTrue();
    }

    @Test
    void aUserOtherThanRootOnlyKeepsTheBoundingSet() {
        ProcessConfig id = ProcessConfig.builder("id")
                .user(new User(0xffff_fffeL, 1000, List.of(27L, 4_000_000_000L)))
                .build();
        Process process = spec(web().process(id).build()).getProcess();
        assertThat(process.getCapabilities().getBoundingList()).hasSize(14);
        assertThat(process.getCapabilities().getEffectiveList()).isEmpty();
        assertThat(process.getCapabilities().getPermittedList()).isEmpty();
        assertThat(process.getCapabilities().getAmbientList()).isEmpty();
        assertThat(Integer.toUnsignedLong(process.getUser().getUID())).isEqualTo(0xffff_fffeL);
        assertThat(process.getUser().getAdditionalGidsList())
                .extracting(Integer::toUnsignedLong)
                .containsExactly(27L, 4_000_000_000L);
    }

    @Test
    void aFurtherProcessLeavesToTheAgentWhatItDoesNotSay() {
        Process process = OciSpecs.process(ProcessConfig.of("id"));
        assertThat(process.hasCapabilities()).isFalse();
        assertThat(process.getRlimitsList()).isEmpty();
    }

    private static ProcessConfig.Builder confined() {
        return ProcessConfig.builder("id")
                .capabilities(new Capabilities(
                        List.of("CAP_A"), List.of("CAP_B"), List.of("CAP_C"), List.of("CAP_D"), List.of("CAP_E")))
                .rlimit(new Rlimit("RLIMIT_NOFILE", 5, Rlimit.UNLIMITED))
                .rlimit(new Rlimit("RLIMIT_CORE", 0, 0));
    }

    @Test
    void rightsAndLimitsOfAProcessAreSentAsTheyAre() {
        LinuxCapabilities sets = LinuxCapabilities.newBuilder()
                .addBounding("CAP_A")
                .addEffective("CAP_B")
                .addInheritable("CAP_C")
                .addPermitted("CAP_D")
                .addAmbient("CAP_E")
                .build();
        POSIXRlimit files = POSIXRlimit.newBuilder()
                .setType("RLIMIT_NOFILE")
                .setSoft(5)
                .setHard(-1) // 2^64-1: unsigned
                .build();
        POSIXRlimit core = POSIXRlimit.newBuilder().setType("RLIMIT_CORE").build();
        for (Process process : List.of(
                OciSpecs.process(confined().build()),
                spec(web().process(confined().build()).build()).getProcess())) {
            assertThat(process.getCapabilities()).isEqualTo(sets);
            assertThat(process.getRlimitsList()).containsExactly(files, core);
        }
    }

    @Test
    void noRightsAreOtherThanNoneSaid() {
        Process process = OciSpecs.process(
                ProcessConfig.builder("id").capabilities(Capabilities.none()).build());
        assertThat(process.hasCapabilities()).isTrue();
        assertThat(process.getCapabilities()).isEqualTo(LinuxCapabilities.getDefaultInstance());
    }

    @Test
    void aLimitTakesThePlaceOfThatOfItsTypeInAGivenSpecification() {
        String json = """
                {"process": {"capabilities": {"bounding": ["CAP_KILL"]}, "rlimits": [
                  {"type": "RLIMIT_NPROC", "soft": 1, "hard": 2}, {"type": "RLIMIT_CORE", "soft": 3, "hard": 4}]}}""";
        Process process =
                spec(web().process(confined().build()).spec(json).build()).getProcess();
        assertThat(process.getCapabilities().getBoundingList()).containsExactly("CAP_A");
        assertThat(process.getRlimitsList())
                .extracting(POSIXRlimit::getType)
                .containsExactly("RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_CORE");
        assertThat(process.getRlimits(2).getHard()).isZero();
    }

    @Test
    void aTerminalHasItsSize() {
        Process process = OciSpecs.process(
                ProcessConfig.builder("sh").terminal(new TerminalSize(24, 80)).build());
        assertThat(process.getTerminal()).isTrue();
        assertThat(process.getConsoleSize().getHeight()).isEqualTo(24);
        assertThat(process.getConsoleSize().getWidth()).isEqualTo(80);
        assertThat(OciSpecs.process(ProcessConfig.of("sh")).hasConsoleSize()).isFalse();
    }

    private static ContainerConfig.Builder web() {
        return ContainerConfig.builder("web").rootfs(RootFs.image(Path.of("web.erofs")));
    }

    private static Spec spec(ContainerConfig container) {
        return OciSpecs.container(container, GuestPath.of("/rootfs"));
    }

    @Test
    void limitsAreInTheSpecification() {
        Resources limits = Resources.builder()
                .cpuQuotaMicros(-1)
                .memoryLimit(MemorySize.mib(64))
                .build();
        assertThat(spec(web().command("sh").resources(limits).build())
                        .getLinux()
                        .getResources())
                .isEqualTo(LinuxResources.newBuilder()
                        .setCPU(LinuxCPU.newBuilder().setQuota(-1))
                        .setMemory(LinuxMemory.newBuilder().setLimit(64 << 20))
                        .build());
    }

    @Test
    void aGivenSpecificationIsKeptButForWhatTheConfigurationSays() throws Exception {
        String json = SpecJsonTest.resource("/spec.json");
        ProcessConfig process = ProcessConfig.builder("id")
                .user(User.of(1000, 1000))
                .noNewPrivileges(false)
                .build();
        Resources limits = Resources.builder().cpuShares(512).pidsLimit(-1).build();
        Spec.Builder expected = SpecJson.parse(json).toBuilder();
        expected.getProcessBuilder()
                .setTerminal(false)
                .clearConsoleSize()
                .setUser(io.virtcontainers.agent.kata.protocol.User.newBuilder()
                        .setUID(1000)
                        .setGID(1000))
                .clearArgs()
                .addArgs("id")
                .clearEnv()
                .addEnv("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
                .setCwd("/")
                .setNoNewPrivileges(false);
        expected.getRootBuilder().setPath("/rootfs").setReadonly(false);
        expected.getLinuxBuilder().getResourcesBuilder().getCPUBuilder().setShares(512);
        expected.getLinuxBuilder().getResourcesBuilder().getPidsBuilder().setLimit(-1);
        assertThat(spec(web().process(process).resources(limits).spec(json).build()))
                .isEqualTo(expected.build());
    }

    @Test
    void anEmptySpecificationGivesNoRightsAndWhatAnAgentNeeds() {
        Spec spec = spec(web().command("sh").spec("{}").build());
        assertThat(spec.getProcess().hasCapabilities()).isFalse();
        assertThat(spec.getLinux().hasResources()).isTrue();
        assertThat(spec.getLinux().getCgroupsPath()).isEqualTo("/web");
    }
}
