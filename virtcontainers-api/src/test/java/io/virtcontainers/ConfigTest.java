// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigTest {
    @Test
    void everyDefaultOfASandboxIsAsDocumented() {
        assertThat(SandboxConfig.builder("demo").build())
                .isEqualTo(new SandboxConfig(
                        "demo",
                        "demo",
                        1,
                        MemorySize.mib(512),
                        HypervisorConfig.defaults(),
                        NetworkConfig.none(),
                        Optional.empty(),
                        false,
                        false,
                        Map.of(),
                        Duration.ofSeconds(60)));
        assertThat(HypervisorConfig.defaults().accelerator()).isEqualTo(Accelerator.AUTO);
        assertThat(HypervisorConfig.defaults().agentChannel()).isEqualTo(AgentChannel.AUTO);
        assertThat(HypervisorConfig.defaults().machine()).isEqualTo(MachineConfig.defaults());
        assertThat(HypervisorConfig.defaults().memory()).isEqualTo(GuestMemoryConfig.defaults());
        assertThat(HypervisorConfig.defaults().block()).isEqualTo(BlockConfig.defaults());
        assertThat(HypervisorConfig.defaults().sharedFs().type()).isEqualTo(SharedFs.NONE);
    }

    @Test
    void everyDefaultOfAProcessIsAsDocumented() {
        ProcessConfig process = ProcessConfig.of("true");
        assertThat(process.environment())
                .isEqualTo(Map.of("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        assertThat(process.workingDirectory()).isEqualTo(GuestPath.of("/"));
        assertThat(process.user()).isEqualTo(User.ROOT);
        assertThat(process.terminal()).isEmpty();
        assertThat(process.noNewPrivileges()).isTrue();
        assertThat(process.capabilities()).isEmpty();
        assertThat(process.rlimits()).isEmpty();
    }

    @Test
    void capabilitiesAreGrantedKeptAndDropped() {
        assertThat(Capabilities.none().bounding()).isEmpty();
        assertThat(Capabilities.defaults().effective()).hasSize(14).contains("CAP_KILL");
        Capabilities changed = Capabilities.of("CAP_KILL", "CAP_MKNOD").toBuilder()
                .grant("CAP_NET_ADMIN", "CAP_KILL")
                .keep("CAP_CHOWN")
                .drop("CAP_MKNOD")
                .build();
        List<String> all = List.of("CAP_KILL", "CAP_NET_ADMIN", "CAP_CHOWN");
        assertThat(changed).isEqualTo(new Capabilities(all, all, List.of("CAP_CHOWN"), all, List.of("CAP_CHOWN")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "KILL", "cap_kill", "CAP_", "CAP_KILL ", "CAP_KILL\0"})
    void aCapabilityHasTheNameOfOne(String name) {
        assertThatThrownBy(() -> Capabilities.of(name))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("capability \"" + name + "\": must be a name of capabilities(7) such as CAP_KILL");
    }

    @Test
    void aLimitHasTheNameOfOneAndIsThereOnce() {
        assertThat(new Rlimit("RLIMIT_CORE", 1, Rlimit.UNLIMITED).hard()).isEqualTo(-1);
        assertThatThrownBy(() -> new Rlimit("NOFILE", 1, 1))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("\"NOFILE\"");
        assertThatThrownBy(() -> new Rlimit("RLIMIT_NOFILE", Rlimit.UNLIMITED, 5))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("soft limit of RLIMIT_NOFILE 18446744073709551615: must not be more than the hard one, 5");
        ProcessConfig.Builder twice = ProcessConfig.builder("a")
                .rlimit(new Rlimit("RLIMIT_CORE", 0, 0))
                .rlimit(new Rlimit("RLIMIT_CORE", 1, 1));
        assertThatThrownBy(twice::build)
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("resource limit RLIMIT_CORE: is there twice");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "../x", "a/b", ".", "..", "-a", "a b", "a\0b", "é"})
    void aBadIdIsRefusedWithTheRule(String id) {
        assertThatThrownBy(() -> SandboxConfig.builder(id))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("sandbox id")
                .hasMessageContaining("must be 1 to 64 letters");
        assertThatThrownBy(() -> ContainerConfig.builder(id)
                        .rootfs(RootFs.directory(Path.of("/")))
                        .command("true")
                        .build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("container id");
    }

    @Test
    void anIdMayHave64CharactersAndNoMore() {
        assertThat(SandboxConfig.builder("a".repeat(64)).build().hostname()).hasSize(63);
        assertThatThrownBy(() -> SandboxConfig.builder("a".repeat(65))).isInstanceOf(InvalidConfigException.class);
    }

    @Test
    void theHostNameIsMadeOfTheId() {
        assertThat(SandboxConfig.builder("my_pod.1_").build().hostname()).isEqualTo("my-pod-1");
        assertThatThrownBy(() -> SandboxConfig.builder("a").hostname("-x").build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("\"-x\"");
    }

    @Test
    void aSandboxNeedsAProcessorMemoryAndTime() {
        assertThatThrownBy(() -> SandboxConfig.builder("a").vcpus(0).build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("vcpus 0: must be 1 to 240");
        assertThatThrownBy(() ->
                        SandboxConfig.builder("a").memory(MemorySize.mib(0)).build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("memory 0 MiB: is too little");
        assertThatThrownBy(() ->
                        SandboxConfig.builder("a").bootDeadline(Duration.ZERO).build())
                .isInstanceOf(InvalidConfigException.class);
    }

    @Test
    void memoryDoesNotOverflow() {
        assertThatThrownBy(() -> MemorySize.gib(Long.MAX_VALUE)).isInstanceOf(InvalidConfigException.class);
        assertThatThrownBy(() -> MemorySize.mib(-1)).isInstanceOf(InvalidConfigException.class);
        assertThat(MemorySize.gib(2)).isEqualTo(MemorySize.mib(2048)).hasToString("2048 MiB");
    }

    @Test
    void aContainerNeedsARootFileSystemAndACommand() {
        assertThatThrownBy(() -> ContainerConfig.builder("c").command("true").build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("rootfs");
        assertThatThrownBy(() -> ContainerConfig.builder("c")
                        .rootfs(RootFs.directory(Path.of("/")))
                        .build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("command");
        assertThatThrownBy(() -> ProcessConfig.of()).isInstanceOf(InvalidConfigException.class);
        assertThatThrownBy(() -> ProcessConfig.of("a", "b\0c"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("NUL");
        assertThatThrownBy(
                        () -> ProcessConfig.builder("a").environment("A=B", "c").build())
                .isInstanceOf(InvalidConfigException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "relative", "/a/../b", "/..", "/a\0b"})
    void aGuestPathIsAbsoluteAndGoesNowhereElse(String path) {
        assertThatThrownBy(() -> GuestPath.of(path)).isInstanceOf(InvalidConfigException.class);
    }

    @Test
    void kernelParametersAreOneWordEach() {
        assertThatThrownBy(() ->
                        HypervisorConfig.builder().kernelParameters("a\nb").build())
                .isInstanceOf(InvalidConfigException.class);
        assertThat(HypervisorConfig.builder()
                        .kernelParameters("a", "b=c")
                        .build()
                        .kernelParameters())
                .isEqualTo(List.of("a", "b=c"));
    }

    @Test
    void everyDefaultOfAMachineIsAsDocumented() {
        assertThat(MachineConfig.defaults())
                .isEqualTo(new MachineConfig(
                        MachineType.ofHost(),
                        List.of(),
                        List.of(),
                        0,
                        Optional.empty(),
                        List.of(),
                        1,
                        0,
                        false,
                        false,
                        false,
                        Optional.empty(),
                        true));
        assertThat(GuestMemoryConfig.defaults())
                .isEqualTo(new GuestMemoryConfig(
                        10,
                        Optional.empty(),
                        false,
                        false,
                        false,
                        Optional.empty(),
                        false,
                        false,
                        MemorySize.ofBytes(0)));
        assertThat(HypervisorConfig.defaults().root()).isEqualTo(GuestRoot.builtIn());
        assertThat(HypervisorConfig.defaults().user()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a,b", "a b", "-x\n", "é"})
    void anOptionOfAMachineIsOneWord(String word) {
        assertThatThrownBy(() -> MachineConfig.builder().options(word).build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith("machine option \"" + word + "\": must be one word");
        assertThatThrownBy(() -> MachineConfig.builder().cpuFeatures(word).build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith("CPU feature");
    }

    @Test
    void numbersOfAMachineHaveRanges() {
        assertThatThrownBy(() -> MachineConfig.builder().bridges(0).build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("bridges 0: must be 1 to 5");
        assertThatThrownBy(() -> MachineConfig.builder().pcieRootPorts(17).build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("PCIe root ports 17: must be 0 to 16");
        assertThatThrownBy(() -> MachineConfig.builder().maxVcpus(241).build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("max vcpus 241: must be 0 to 240");
        assertThatThrownBy(() -> GuestMemoryConfig.builder().slots(257).build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("memory slots 257: must be 0 to 256");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "Root", "a b", "0", "../x"})
    void theUserOfTheHypervisorIsAName(String name) {
        assertThatThrownBy(() -> HypervisorConfig.builder().user(name).build())
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("hypervisor user \"" + name + "\": is no name of a user");
    }

    @Test
    void configsCannotBeChangedFromOutside() {
        ProcessConfig process = ProcessConfig.of("true");
        assertThatThrownBy(() -> process.environment().put("A", "B")).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> process.command().add("x")).isInstanceOf(UnsupportedOperationException.class);
    }
}
