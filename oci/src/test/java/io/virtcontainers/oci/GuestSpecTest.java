// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static io.virtcontainers.oci.TestSpecs.at;
import static io.virtcontainers.oci.TestSpecs.linux;
import static io.virtcontainers.oci.TestSpecs.spec;
import static io.virtcontainers.oci.TestSpecs.tree;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.GuestPath;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GuestSpecTest {
    private static final Path BUNDLE = Path.of("/run/bundle");
    private static final MemorySize SHM = MemorySize.mib(63);

    private static GuestSpec trim(OciSpec spec) {
        return GuestSpec.of(spec, BUNDLE, SHM, false);
    }

    private static JsonNode trimmed(OciSpec spec, String pointer) {
        return at(trim(spec).spec().toJson(), pointer);
    }

    private static JsonNode json(String text) {
        return tree("{\"x\": " + text.replace('\'', '"') + "}").get("x");
    }

    /** The whole result for what engines write; mounts of the host come from /host in the guest. */
    @ParameterizedTest
    @CsvSource({"podman,false", "containerd-cri,false", "docker,true"})
    void theConfigurationsOfEnginesAreTrimmed(String engine, boolean seccomp) {
        OciSpec spec = OciSpec.parse(TestSpecs.resource(engine + ".json"));

        String guest = GuestSpec.of(spec, BUNDLE, SHM, seccomp)
                .toJson(mount ->
                        Optional.of(GuestPath.of("/host" + mount.mount().destination())));

        assertThat(tree(guest).toPrettyString())
                .isEqualTo(tree(TestSpecs.resource(engine + ".guest.json")).toPrettyString());
    }

    @Test
    void whatHasNoRuleStays() {
        OciSpec full = OciSpec.parse(TestSpecs.full());

        JsonNode guest = tree(trim(full).spec().toJson());

        assertThat(guest.at("/x-top")).isEqualTo(at(TestSpecs.full(), "/x-top"));
        assertThat(guest.at("/process/scheduler")).isEqualTo(at(TestSpecs.full(), "/process/scheduler"));
        assertThat(guest.at("/linux/sysctl/net.core.somaxconn").textValue()).isEqualTo("256");
        assertThat(guest.at("/linux/timeOffsets")).isEqualTo(at(TestSpecs.full(), "/linux/timeOffsets"));
    }

    @Test
    void theDomainNameIsSetAsAKernelParameter() {
        OciSpec spec = OciSpec.parse("{\"ociVersion\": \"1.1.0\", \"domainname\": \"example.org\"}");

        assertThat(trim(spec).spec().domainname()).isEmpty();
        assertThat(trim(spec).spec().linux().sysctl()).isEqualTo(Map.of("kernel.domainname", "example.org"));
    }

    @Test
    void theOriginalIsNotChanged() {
        OciSpec full = OciSpec.parse(TestSpecs.full());

        trim(full);

        assertThat(tree(full.toJson())).isEqualTo(tree(TestSpecs.full()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/hooks",
                "/process/selinuxLabel",
                "/process/apparmorProfile",
                "/linux/mountLabel",
                "/linux/seccomp",
                "/linux/intelRdt",
                "/linux/resources/blockIO",
                "/linux/resources/hugepageLimits",
                "/linux/resources/network",
                "/linux/resources/rdma",
                "/linux/resources/memory/kernel",
                "/linux/resources/memory/kernelTCP",
                "/linux/resources/memory/swappiness",
                "/linux/resources/memory/disableOOMKiller",
                "/linux/resources/cpu/cpus",
                "/linux/resources/cpu/mems"
            })
    void whatOnlyTheHostHasIsRemoved(String pointer) {
        assertThat(at(TestSpecs.full(), pointer).isMissingNode()).as("before").isFalse();

        assertThat(trimmed(OciSpec.parse(TestSpecs.full()), pointer).isMissingNode())
                .as("after")
                .isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/linux/resources/devices",
                "/linux/resources/pids",
                "/linux/resources/memory/limit",
                "/linux/resources/memory/swap",
                "/linux/resources/unified"
            })
    void limitsThatTheGuestCanKeepStay(String pointer) {
        assertThat(trimmed(OciSpec.parse(TestSpecs.full()), pointer)).isEqualTo(at(TestSpecs.full(), pointer));
    }

    @Test
    void seccompStaysIfItIsAskedFor() {
        OciSpec spec = linux("'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW'}");

        assertThat(GuestSpec.of(spec, BUNDLE, SHM, true).spec().linux().seccomp())
                .isPresent();
    }

    @Test
    void aSeccompListenerOfTheHostIsRefusedByName() {
        OciSpec spec = linux("'seccomp': {'defaultAction': 'SCMP_ACT_NOTIFY', 'listenerPath': '/run/s.sock'}");

        assertThat(trim(spec).spec().linux().seccomp()).isEmpty();
        assertThatThrownBy(() -> GuestSpec.of(spec, BUNDLE, SHM, true))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith("linux.seccomp.listenerPath: \"/run/s.sock\"");
    }

    @Test
    void theOldListOfCapabilitiesBecomesSets() {
        OciSpec spec = OciSpec.parse("""
                {"ociVersion": "1.0.0", "process": {"args": ["a"], "cwd": "/", "capabilities": ["CAP_KILL"]}}""");

        assertThat(trimmed(spec, "/process/capabilities"))
                .isEqualTo(json("{'bounding': ['CAP_KILL'], 'effective': ['CAP_KILL'],"
                        + " 'inheritable': ['CAP_KILL'], 'permitted': ['CAP_KILL']}"));
    }

    @ParameterizedTest
    @CsvSource({
        "machine.slice:libpod:abc, /libpod/abc",
        "system.slice::abc, /abc",
        "/plain/path, /plain/path",
        "relative, relative",
        "one:colon, one:colon"
    })
    void systemdCgroupsBecomePaths(String before, String after) {
        assertThat(trim(linux("'cgroupsPath': '" + before + "'")).spec().linux().cgroupsPath())
                .contains(after);
    }

    @Test
    void namespacesLoseTheirPathsAndThatOfTheNetworkIsRemoved() {
        OciSpec spec = linux("'namespaces': [{'type': 'network', 'path': '/run/netns/x'}, {'type': 'cgroup'},"
                + " {'type': 'pid'}, {'type': 'ipc', 'path': '/proc/1/ns/ipc', 'x': 1}, {'type': 'user'}]");

        assertThat(trimmed(spec, "/linux/namespaces"))
                .isEqualTo(json("[{'type': 'cgroup'}, {'type': 'pid'}, {'type': 'ipc', 'x': 1}, {'type': 'user'}]"));
        assertThat(trim(spec).sharedPidNamespace()).isFalse();
    }

    @Test
    void aJoinedPidNamespaceIsReported() {
        OciSpec spec = linux("'namespaces': [{'type': 'pid', 'path': '/proc/1/ns/pid'}, {'type': 'mount'}]");

        assertThat(trimmed(spec, "/linux/namespaces")).isEqualTo(json("[{'type': 'mount'}]"));
        assertThat(trim(spec).sharedPidNamespace()).isTrue();
    }

    @Test
    void vfioDevicesAreRemoved() {
        String device = "', 'type': 'c', 'major': 10, 'minor': 1}";
        OciSpec spec = linux("'devices': [{'path': '/dev/vfio/7" + device + ", {'path': '/dev/vfio" + device
                + ", {'path': '/dev/vfio-user" + device + "]");

        assertThat(trim(spec).spec().linux().devices())
                .extracting(OciLinux.Device::path)
                .containsExactly("/dev/vfio-user");
    }

    @Test
    void sharedMemoryOfTheHostBecomesATmpfsOfTheGivenSize() {
        OciSpec spec = spec("'mounts': [{'destination': '/dev/shm/', 'type': 'bind', 'source': '/dev/shm',"
                + " 'options': ['rbind', 'rw']}]");

        assertThat(trimmed(spec, "/mounts"))
                .isEqualTo(json("[{'destination': '/dev/shm/', 'type': 'tmpfs', 'source': 'shm',"
                        + " 'options': ['noexec', 'nosuid', 'nodev', 'mode=1777', 'size=66060288']}]"));
        assertThat(trim(spec).hostMounts()).isEmpty();
    }

    @Test
    void sharedMemoryThatIsATmpfsKeepsItsSize() {
        OciSpec spec = spec(
                "'mounts': [{'destination': '/dev/shm', 'type': 'tmpfs', 'source': 'shm', 'options': ['size=1g']}]");

        assertThat(trimmed(spec, "/mounts/0/options")).isEqualTo(json("['size=1g']"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/proc", "/proc/sys", "/sys/fs/cgroup/", "/etc/../sys", "../../proc/1"})
    void bindMountsFromTheHostsKernelTreesAreRemoved(String source) {
        OciSpec spec = spec("'mounts': [{'destination': '/x', 'type': 'bind', 'source': '" + source + "'}]");

        assertThat(trimmed(spec, "/mounts")).isEmpty();
        assertThat(trim(spec).hostMounts()).isEmpty();
    }

    @Test
    void otherFileSystemsAreTheGuestsToMount() {
        OciSpec spec = spec("'mounts': [{'destination': '/proc', 'type': 'proc', 'source': 'proc'},"
                + " {'destination': 'tmp', 'type': 'tmpfs', 'source': 'tmpfs'}]");

        assertThat(trimmed(spec, "/mounts/0/destination")).isEqualTo(json("'/proc'"));
        assertThat(trimmed(spec, "/mounts/1/destination")).as("made absolute").isEqualTo(json("'/tmp'"));
    }

    @Test
    void bindMountsOfTheHostAreListedWithTheirPlaceInTheConfiguration() {
        OciSpec spec = spec("'mounts': [{'destination': '/p', 'type': 'bind', 'source': '/proc'},"
                + " {'destination': '/dev/fuse', 'type': 'none', 'source': '/dev/fuse', 'options': ['bind', 'ro']},"
                + " {'destination': '/data', 'type': 'bind', 'source': 'data/../volume'}]");

        List<HostMount> mounts = trim(spec).hostMounts();

        assertThat(mounts).extracting(HostMount::jsonPath).containsExactly("mounts[1]", "mounts[2]");
        assertThat(mounts)
                .extracting(mount -> mount.mount().source().orElseThrow())
                .containsExactly("/dev/fuse", "/run/bundle/volume");
        assertThat(mounts.get(0).mount().options()).containsExactly("bind", "ro");
    }

    @Test
    void bindMountsGetTheSourcesThatTheStorageLayerHasForThem() {
        OciSpec spec = spec("'mounts': [{'destination': '/p', 'type': 'bind', 'source': '/proc'},"
                + " {'destination': '/a', 'type': 'bind', 'source': '/1', 'options': ['ro']},"
                + " {'destination': '/t', 'type': 'tmpfs', 'source': 'tmpfs'},"
                + " {'destination': '/b', 'type': 'bind', 'source': '/2'}]");

        String json = trim(spec)
                .toJson(mount -> Optional.of(
                        GuestPath.of("/guest" + mount.mount().source().orElseThrow())));

        assertThat(at(json, "/mounts"))
                .isEqualTo(json("[{'destination': '/a', 'type': 'bind', 'source': '/guest/1', 'options': ['ro']},"
                        + " {'destination': '/t', 'type': 'tmpfs', 'source': 'tmpfs'},"
                        + " {'destination': '/b', 'type': 'bind', 'source': '/guest/2'}]"));
    }

    @Test
    void aBindMountThatNobodyProvidesIsRefusedByName() {
        OciSpec spec = spec("'mounts': [{'destination': '/t', 'type': 'tmpfs'},"
                + " {'destination': '/data', 'type': 'bind', 'source': '/srv'}]");

        assertThatThrownBy(() -> trim(spec).toJson(mount -> Optional.empty()))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("mounts[1].source: \"/srv\" of the host cannot be brought into the guest for /data");
    }
}
