// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static io.virtcontainers.oci.TestSpecs.full;
import static io.virtcontainers.oci.TestSpecs.spec;
import static io.virtcontainers.oci.TestSpecs.tree;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OciSpecTest {
    private final OciSpec full = OciSpec.parse(full());

    @Test
    void everyFieldOfTheProcessIsRead() {
        OciProcess process = full.process().orElseThrow();
        assertThat(process.terminal()).isTrue();
        assertThat(process.consoleSize()).contains(new OciProcess.ConsoleSize(40, 120));
        assertThat(process.user()).isEqualTo(new OciProcess.User(1000, 1001, OptionalLong.of(022), List.of(5L, 6L)));
        assertThat(process.args()).containsExactly("sh", "-c", "");
        assertThat(process.env()).hasSize(7).contains("EQ=a=b=c");
        assertThat(process.cwd()).isEqualTo("/work");
        assertThat(process.capabilities())
                .contains(new OciProcess.Capabilities(
                        List.of("CAP_KILL"),
                        List.of("CAP_KILL"),
                        List.of("CAP_CHOWN"),
                        List.of("CAP_KILL"),
                        List.of("CAP_SYS_TIME")));
        assertThat(process.rlimits()).containsExactly(new OciProcess.Rlimit("RLIMIT_NOFILE", -1, 1024));
        assertThat(process.noNewPrivileges()).isTrue();
        assertThat(process.apparmorProfile()).contains("docker-default");
        assertThat(process.oomScoreAdj()).hasValue(-500);
        assertThat(process.scheduler())
                .contains(new OciProcess.Scheduler(
                        "SCHED_DEADLINE",
                        OptionalLong.of(-5),
                        OptionalLong.of(3),
                        List.of("SCHED_FLAG_RECLAIM"),
                        OptionalLong.of(1000000),
                        OptionalLong.of(2000000),
                        OptionalLong.of(3000000)));
        assertThat(process.selinuxLabel()).contains("system_u:system_r:container_t:s0:c1,c2");
        assertThat(process.ioPriority()).contains(new OciProcess.IoPriority("IOPRIO_CLASS_BE", 4));
    }

    @Test
    void everyFieldOfTheTopIsRead() {
        assertThat(full.ociVersion()).isEqualTo("1.1.0");
        assertThat(full.root()).contains(new OciRoot("rootfs", true));
        assertThat(full.hostname()).contains("full");
        assertThat(full.domainname()).contains("example.org");
        assertThat(full.annotations()).isEqualTo(Map.of("com.example.key", "value", "empty", ""));
        assertThat(full.mounts())
                .containsExactly(new OciMount(
                        "/data",
                        Optional.of("bind"),
                        Optional.of("/srv/data"),
                        List.of("rbind", "ro", "idmap"),
                        List.of(new OciLinux.IdMapping(0, 1000, 1)),
                        List.of(new OciLinux.IdMapping(0, 1001, 1))));
        assertThat(full.hooks().of(HookKind.PRESTART))
                .containsExactly(new OciHooks.Hook(
                        "/usr/bin/one", List.of("one", "-v"), List.of("A=b"), Optional.of(Duration.ofSeconds(5))));
        assertThat(full.hooks().byKind().values())
                .allSatisfy(hooks -> assertThat(hooks).hasSize(1));
    }

    @Test
    void everyFieldOfLinuxIsRead() {
        OciLinux linux = full.linux();
        OciLinux.IdMapping mapping = new OciLinux.IdMapping(0, 100000, 65536);
        assertThat(linux.uidMappings()).containsExactly(mapping);
        assertThat(linux.gidMappings()).containsExactly(mapping);
        assertThat(linux.sysctl()).isEqualTo(Map.of("net.core.somaxconn", "256"));
        assertThat(linux.cgroupsPath()).contains("/my/cgroup");
        assertThat(linux.namespaces())
                .containsExactly(
                        new OciLinux.Namespace("pid", Optional.empty()),
                        new OciLinux.Namespace("network", Optional.of("/run/netns/n1")),
                        new OciLinux.Namespace("time", Optional.empty()));
        assertThat(linux.devices())
                .containsExactly(
                        new OciLinux.Device(
                                "/dev/fuse",
                                "c",
                                OptionalLong.of(10),
                                OptionalLong.of(229),
                                OptionalLong.of(0666),
                                OptionalLong.of(0),
                                OptionalLong.of(4)),
                        new OciLinux.Device(
                                "/dev/pipe",
                                "p",
                                OptionalLong.empty(),
                                OptionalLong.empty(),
                                OptionalLong.empty(),
                                OptionalLong.empty(),
                                OptionalLong.empty()));
        assertThat(linux.seccomp())
                .contains(new OciSeccomp(
                        "SCMP_ACT_ERRNO",
                        OptionalLong.of(38),
                        List.of("SCMP_ARCH_X86_64"),
                        List.of("SECCOMP_FILTER_FLAG_LOG"),
                        Optional.of("/run/seccomp.sock"),
                        Optional.of("more"),
                        List.of(new OciSeccomp.Syscall(
                                List.of("personality"),
                                "SCMP_ACT_ALLOW",
                                OptionalLong.of(1),
                                List.of(new OciSeccomp.Arg(0, -1, 2, "SCMP_CMP_MASKED_EQ"))))));
        assertThat(linux.rootfsPropagation()).contains("rslave");
        assertThat(linux.maskedPaths()).containsExactly("/proc/kcore");
        assertThat(linux.readonlyPaths()).containsExactly("/proc/sys");
        assertThat(linux.mountLabel()).contains("system_u:object_r:container_file_t:s0:c1,c2");
        assertThat(linux.intelRdt())
                .contains(new OciLinux.IntelRdt(
                        Optional.of("guaranteed"),
                        Optional.of("L3:0=ff"),
                        Optional.of("L3:0=f0"),
                        Optional.of("MB:0=50"),
                        true,
                        true));
        assertThat(linux.personality()).contains(new OciLinux.Personality("LINUX32", List.of("NONE")));
        assertThat(linux.timeOffsets()).isEqualTo(Map.of("monotonic", new OciLinux.TimeOffset(172800, 5)));
    }

    @Test
    void everyFieldOfTheResourcesIsRead() {
        OciResources resources = full.linux().resources();
        assertThat(resources.devices())
                .containsExactly(new OciResources.DeviceRule(
                        true, Optional.of("c"), OptionalLong.of(10), OptionalLong.of(229), Optional.of("rw")));
        assertThat(resources.memory())
                .isEqualTo(new OciResources.Memory(
                        OptionalLong.of(512 << 20),
                        OptionalLong.of(256 << 20),
                        OptionalLong.of(1 << 30),
                        OptionalLong.of(-1),
                        OptionalLong.of(-1),
                        OptionalLong.of(60),
                        true,
                        true,
                        true));
        assertThat(resources.cpu())
                .isEqualTo(new OciResources.Cpu(
                        OptionalLong.of(1024),
                        OptionalLong.of(150000),
                        OptionalLong.of(1000),
                        OptionalLong.of(100000),
                        OptionalLong.of(950000),
                        OptionalLong.of(1000000),
                        Optional.of("0-3"),
                        Optional.of("0"),
                        OptionalLong.of(1)));
        assertThat(resources.pidsLimit()).hasValue(100);
        OciResources.BlockIo blockIo = resources.blockIo();
        assertThat(blockIo.weight()).hasValue(10);
        assertThat(blockIo.leafWeight()).hasValue(20);
        assertThat(blockIo.weightDevice())
                .containsExactly(new OciResources.DeviceWeight(8, 0, OptionalLong.of(500), OptionalLong.of(300)));
        assertThat(List.of(
                        blockIo.throttleReadBpsDevice().get(0),
                        blockIo.throttleWriteBpsDevice().get(0),
                        blockIo.throttleReadIopsDevice().get(0),
                        blockIo.throttleWriteIopsDevice().get(0)))
                .containsExactly(
                        new OciResources.DeviceRate(8, 1, 1),
                        new OciResources.DeviceRate(8, 2, 2),
                        new OciResources.DeviceRate(8, 3, 3),
                        new OciResources.DeviceRate(8, 4, 4));
        assertThat(resources.hugepageLimits()).containsExactly(new OciResources.HugepageLimit("2MB", Long.MIN_VALUE));
        assertThat(resources.network())
                .isEqualTo(new OciResources.Network(
                        OptionalLong.of(1048577), List.of(new OciResources.InterfacePriority("eth0", 500))));
        assertThat(resources.rdma())
                .isEqualTo(Map.of("mlx5_1", new OciResources.Rdma(OptionalLong.of(3), OptionalLong.of(10000))));
        assertThat(resources.unified()).isEqualTo(Map.of("memory.high", "100000000"));
    }

    @Test
    void unknownFieldsSurviveReadingChangingAndWritingOnEveryLevel() {
        OciSpec changed = full.with(json -> json.put("hostname", "changed"));

        assertThat(changed.hostname()).contains("changed");
        assertThat(tree(changed.toJson())).isEqualTo(tree(full()).put("hostname", "changed"));
        assertThat(full.hostname()).as("the original").contains("full");
    }

    @ParameterizedTest
    @ValueSource(strings = {"podman.json", "containerd-cri.json", "docker.json"})
    void whatEnginesWriteIsWrittenAgainAsItWas(String file) {
        String json = TestSpecs.resource(file);

        assertThat(tree(OciSpec.parse(json).toJson())).isEqualTo(tree(json));
    }

    @Test
    void absentPartsAreEmpty() {
        OciSpec spec = OciSpec.parse("{\"ociVersion\": \"1.0.0\"}");

        assertThat(spec.process()).isEmpty();
        assertThat(spec.root()).isEmpty();
        assertThat(spec.mounts()).isEmpty();
        assertThat(spec.linux().resources().memory().limit()).isEmpty();
        assertThat(spec.linux().namespaces()).isEmpty();
        assertThat(spec.hooks().of(HookKind.POSTSTOP)).isEmpty();
    }

    @Test
    void nullsAndEmptyTextsAreAbsentAsGoWritesThem() {
        OciSpec spec = spec("'hostname': '', 'mounts': null, 'linux': {'resources': null, 'cgroupsPath': '',"
                + " 'namespaces': [{'type': 'pid', 'path': ''}]}");

        assertThat(spec.hostname()).isEmpty();
        assertThat(spec.mounts()).isEmpty();
        assertThat(spec.linux().cgroupsPath()).isEmpty();
        assertThat(spec.linux().namespace("pid").orElseThrow().path()).isEmpty();
    }

    @Test
    void theOldListOfCapabilitiesFillsAllSetsButTheAmbientOne() {
        OciProcess process = OciProcess.parse("""
                {"args": ["true"], "cwd": "/", "capabilities": ["CAP_KILL"]}""");

        List<String> kill = List.of("CAP_KILL");
        assertThat(process.capabilities()).contains(new OciProcess.Capabilities(kill, kill, kill, kill, List.of()));
    }

    @Test
    void aBindMountIsKnownByItsOptionsOrItsType() {
        OciSpec spec = spec("'mounts': [{'destination': '/a', 'type': 'none', 'source': '/x', 'options': ['rbind']},"
                + " {'destination': '/b', 'type': 'bind', 'source': '/x'},"
                + " {'destination': '/c', 'type': 'tmpfs', 'source': '/x', 'options': ['ro']}]");

        assertThat(spec.mounts().stream().map(OciMount::isBind)).containsExactly(true, true, false);
    }

    @Test
    void hooksForTheGuestAreNamed() {
        assertThat(full.hooks().forGuest()).containsExactly(HookKind.CREATE_CONTAINER, HookKind.START_CONTAINER);
        assertThat(spec("").hooks().forGuest()).isEmpty();
    }
}
