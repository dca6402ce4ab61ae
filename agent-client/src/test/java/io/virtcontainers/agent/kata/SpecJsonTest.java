// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.agent.kata.protocol.LinuxDeviceCgroup;
import io.virtcontainers.agent.kata.protocol.LinuxSyscall;
import io.virtcontainers.agent.kata.protocol.Spec;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SpecJsonTest {
    static String resource(String name) throws Exception {
        try (InputStream in = SpecJsonTest.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void everyFieldOfTheMessageIsReadFromItsNameInTheSpecification() throws Exception {
        Spec spec = SpecJson.parse(resource("/spec.json"));
        assertThat(spec).isEqualTo(TextFormat.parse(resource("/spec.golden"), Spec.class));
        List<String> unset = new ArrayList<>();
        collectUnset(spec, "", unset);
        assertThat(unset).containsExactlyInAnyOrder(".Hooks", ".Solaris", ".Windows");
    }

    private static void collectUnset(Message message, String path, List<String> unset) {
        Descriptor type = message.getDescriptorForType();
        for (FieldDescriptor field : type.getFields()) {
            String at = path + "." + field.getName();
            if (!message.getAllFields().containsKey(field)) {
                unset.add(at);
            } else if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
                Object first = field.isRepeated() ? message.getRepeatedField(field, 0) : message.getField(field);
                collectUnset((Message) first, at, unset);
            }
        }
    }

    @Test
    void numbersHaveTheirWholeRange() {
        Spec spec = SpecJson.parse("""
                {"process": {"user": {"uid": 4294967295}, "oomScoreAdj": -1000,
                  "rlimits": [{"type": "RLIMIT_CORE", "hard": 18446744073709551615, "soft": 0}]},
                 "linux": {"resources": {"memory": {"swap": -1, "limit": 9223372036854775807}}}}
                """);
        assertThat(spec.getProcess().getUser().getUID()).isEqualTo(-1); // unsigned
        assertThat(spec.getProcess().getRlimits(0).getHard()).isEqualTo(-1); // unsigned
        assertThat(spec.getProcess().getOOMScoreAdj()).isEqualTo(-1000);
        assertThat(spec.getLinux().getResources().getMemory().getSwap()).isEqualTo(-1);
        assertThat(spec.getLinux().getResources().getMemory().getLimit()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void aDeviceRuleWithoutANumberMeansAnyNumber() {
        Spec spec = SpecJson.parse("""
                {"linux": {"resources": {"devices": [
                  {"allow": false, "access": "rwm"},
                  {"allow": true, "type": "c", "major": 136, "minor": null, "access": "rw"},
                  {"allow": true, "type": "c", "major": 5, "minor": 0, "access": "rw"}]}}}
                """);
        assertThat(spec.getLinux().getResources().getDevicesList())
                .extracting(LinuxDeviceCgroup::getMajor)
                .containsExactly(-1L, 136L, 5L);
        assertThat(spec.getLinux().getResources().getDevicesList())
                .extracting(LinuxDeviceCgroup::getMinor)
                .containsExactly(-1L, -1L, 0L);
    }

    @Test
    void whatTheProtocolLacksIsLeftOutAndNullIsAbsent() {
        assertThat(SpecJson.parse("""
                {"hooks": {"prestart": [], "createRuntime": []}, "process": null, "mounts": null, "zos": {"x": [1]},
                 "linux": {"timeOffsets": {}, "seccomp": {"flags": ["X"]}}}
                """).toBuilder().clearHooks().build())
                .isEqualTo(SpecJson.parse("{\"linux\": {\"seccomp\": {}}}"));
    }

    @Test
    void theErrorNumberOfAnActionFollowsIt() {
        Spec spec = SpecJson.parse("""
                {"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": [
                  {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
                  {"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": null}]}}}
                """);
        assertThat(spec.getLinux().getSeccomp().getDefaultAction()).isEqualTo("SCMP_ACT_ERRNO=1");
        assertThat(spec.getLinux().getSeccomp().getSyscallsList())
                .extracting(LinuxSyscall::getAction)
                .containsExactly("SCMP_ACT_ERRNO=38", "SCMP_ACT_ALLOW");
        assertThatThrownBy(() -> SpecJson.parse("{\"linux\": {\"seccomp\": {\"defaultErrnoRet\": -1}}}"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("$.linux.seccomp.defaultErrnoRet -1");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{\"domainname\": \"example.org\"}                                | $.domainname \"example.org\":",
                "{\"mounts\": [{}, {\"uidMappings\": [{}]}]}                      | $.mounts[1].uidMappings [{}]:",
                "{\"mounts\": [{\"gidMappings\": [{}]}]}                          | $.mounts[0].gidMappings [{}]:",
                "{\"process\": {\"scheduler\": {\"policy\": \"SCHED_FIFO\"}}}     | $.process.scheduler {\"policy\":\"SCHED_FIFO\"}:",
                "{\"process\": {\"user\": {\"umask\": 63}}}                       | $.process.user.umask 63:",
                "{\"process\": {\"user\": {\"umask\": 0}}}                        | $.process.user.umask 0:",
                "{\"Linux\": {\"Personality\": {\"domain\": \"LINUX32\"}}}          | $.Linux.Personality {\"domain\":\"LINUX32\"}:",
                "{\"linux\": {\"resources\": {\"unified\": {\"pids.max\": \"9\"}}}} | $.linux.resources.unified {\"pids.max\":\"9\"}:",
                "{\"linux\": {\"seccomp\": {\"listenerPath\": \"/run/x\"}}}         | $.linux.seccomp.listenerPath \"/run/x\":",
                "{\"linux\": {\"timeOffsets\": {\"monotonic\": {\"secs\": 1}}}}     | $.linux.timeOffsets {\"monotonic\":{\"secs\":1}}:",
            })
    void whatTheProtocolLacksAndTheContainerNeedsIsRefused(String json, String message) {
        assertThatThrownBy(() -> SpecJson.parse(json))
                .isInstanceOf(UnsupportedException.class)
                .hasMessageStartingWith("the container's specification, " + message);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"domainname\": \"\", \"mounts\": [{\"uidMappings\": []}]}",
                "{\"process\": {\"user\": {\"umask\": 18}, \"ioPriority\": {\"class\": \"IOPRIO_CLASS_IDLE\"}}}",
                "{\"linux\": {\"personality\": {\"domain\": \"LINUX\"}, \"timeOffsets\": {}}}",
                "{\"linux\": {\"resources\": {\"unified\": {\"memory.oom.group\": \"1\"}, \"cpu\": {\"idle\": 1}}}}"
            })
    void whatTheProtocolLacksAndTheContainerIsWithoutIsLeftOut(String json) {
        assertThat(SpecJson.parse(json)).isNotNull();
    }

    @Test
    void aRepeatedKeyCountsOnce() {
        assertThat(SpecJson.parse("{\"process\": {\"args\": [\"a\"], \"Args\": [\"b\"]}}")
                        .getProcess()
                        .getArgsList())
                .containsExactly("b");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "[]                                                    | $ []: must be an object",
                "null                                                  | $ null: must be an object",
                "{\"process\": []}                                     | $.process []: must be an object",
                "{\"process\": {\"args\": \"sh\"}}                     | $.process.args \"sh\": must be an array",
                "{\"process\": {\"args\": [\"sh\", null]}}             | $.process.args[1] null: must be a string",
                "{\"process\": {\"terminal\": 1}}                      | $.process.terminal 1: must be true or false",
                "{\"process\": {\"user\": {\"uid\": -1}}}              | $.process.user.uid -1: must be an integer of 0 to 2^32-1",
                "{\"process\": {\"user\": {\"uid\": 4294967296}}}      | $.process.user.uid 4294967296: must be an integer of 0 to 2^32-1",
                "{\"process\": {\"user\": {\"uid\": 1.0}}}             | $.process.user.uid 1.0: must be an integer of 0 to 2^32-1",
                "{\"process\": {\"oomScoreAdj\": 9223372036854775808}} | $.process.oomScoreAdj 9223372036854775808: must be an integer of 64 bits",
                "{\"linux\": {\"sysctl\": [\"a\"]}}                    | $.linux.sysctl [\"a\"]: must be an object",
                "{\"linux\": {\"sysctl\": {\"kernel.shm_rmid\": 1}}}   | $.linux.sysctl.kernel.shm_rmid 1: must be a string",
                "{\"hooks\": {\"poststop\": [{\"path\": \"/x\"}]}}     | $.hooks {\"poststop\":[{\"path\":\"/x\"}]}: must be empty: hooks are run on the host",
            })
    void anErrorNamesThePlace(String json, String message) {
        assertThatThrownBy(() -> SpecJson.parse(json))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("the container's specification, " + message);
    }

    @Test
    void whatIsNotJsonIsRefusedWithItsPlace() {
        assertThatThrownBy(() -> SpecJson.parse("{\n  \"process\": oops }"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("not JSON: line 2, column");
        for (String bad :
                List.of("", "{", "{} {}", "[".repeat(100_000), "\"\\", "{\"a\":" + "9".repeat(10_000) + "}")) {
            assertThatThrownBy(() -> SpecJson.parse(bad)).isInstanceOf(InvalidConfigException.class);
        }
    }
}
