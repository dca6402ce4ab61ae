// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static io.virtcontainers.oci.TestSpecs.full;
import static io.virtcontainers.oci.TestSpecs.minimal;
import static io.virtcontainers.oci.TestSpecs.tree;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.virtcontainers.InvalidConfigException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OciSpecErrorTest {
    /** Their keys are data, and shown in brackets. */
    private static final Set<String> MAPS = Set.of("annotations", "sysctl", "rdma", "unified", "timeOffsets");

    @TestFactory
    Stream<DynamicTest> aWrongTypeIsReportedWithItsPath() {
        ObjectNode document = tree(full());
        List<DynamicTest> tests = new ArrayList<>();
        visit(
                document,
                "",
                false,
                (path, replace, value) -> tests.add(DynamicTest.dynamicTest(path, () -> {
                    JsonNode wrong = value.isTextual() ? IntNode.valueOf(7) : TextNode.valueOf("1g");
                    replace.accept(wrong);
                    String json = document.toString();
                    replace.accept(value);
                    assertThatExceptionOfType(InvalidConfigException.class)
                            .isThrownBy(() -> OciSpec.parse(json))
                            .withMessageMatching("(?s)\\Q" + path + ": " + wrong + "\\E must be .*");
                })));
        assertThat(tests).as("fields of full.json").hasSizeGreaterThan(200);
        return tests.stream();
    }

    private interface Visitor {
        void visit(String path, Consumer<JsonNode> replace, JsonNode value);
    }

    private static void visit(JsonNode node, String path, boolean isMap, Visitor visitor) {
        if (node instanceof ObjectNode object) {
            for (String name :
                    List.copyOf(object.propertyStream().map(e -> e.getKey()).toList())) {
                if (name.startsWith("x-") || name.equals("username")) {
                    continue;
                }
                JsonNode value = object.get(name);
                String at = isMap ? path + "[\"" + name + "\"]" : path.isEmpty() ? name : path + '.' + name;
                visitor.visit(at, wrong -> object.set(name, wrong), value);
                visit(value, at, MAPS.contains(name), visitor);
            }
        } else if (node instanceof ArrayNode array) {
            for (int i = 0; i < array.size(); i++) {
                int index = i;
                JsonNode value = array.get(i);
                String at = path + '[' + i + ']';
                visitor.visit(at, wrong -> array.set(index, wrong), value);
                visit(value, at, false, visitor);
            }
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            value = {
                "'ociVersion': null | ociVersion: missing",
                "'process': {'cwd': '/'} | process.args: missing",
                "'process': {'cwd': '/', 'args': []} | process.args: missing",
                "'process': {'cwd': '/', 'args': ['']} | process.args[0]: must name a program",
                "'process': {'args': ['a']} | process.cwd: missing",
                "'process': {'args': ['a'], 'cwd': ''} | process.cwd: must not be empty",
                "'process': {'args': ['a'], 'cwd': 'tmp'} | process.cwd: \"tmp\" must be absolute, without '..'",
                "'process': {'args': ['a'], 'cwd': '/a/../b'} | process.cwd: \"/a/../b\" must be absolute, without '..'",
                "'process': {'args': ['a\\u0000b'], 'cwd': '/'} | process.args[0]: \"a\\u0000b\" must be Unicode text without NUL",
                "'process': {'args': ['a'], 'cwd': '/', 'rlimits': [{'type': 'X', 'soft': 1}]} | process.rlimits[0].hard: missing",
                "'process': {'args': ['a'], 'cwd': '/', 'user': {'uid': 4294967295}} | process.user.uid: 4294967295 must be 0 to",
                "'process': {'args': ['a'], 'cwd': '/', 'user': {'uid': 1.5}} | process.user.uid: 1.5 must be a whole number",
                "'process': {'args': ['a'], 'cwd': '/', 'oomScoreAdj': 1001} | process.oomScoreAdj: 1001 must be -1000 to 1000",
                "'process': {'args': ['a'], 'cwd': '/', 'ioPriority': {'class': 'X'}} | process.ioPriority.class: \"X\" must be one",
                "'root': {} | root.path: missing",
                "'mounts': [{'destination': '/a'}, {}] | mounts[1].destination: missing",
                "'mounts': [{'destination': '/a', 'type': 'bind'}] | mounts[0].source: missing",
                "'hooks': {'poststop': [{'path': 'rm'}]} | hooks.poststop[0].path: \"rm\" must be absolute",
                "'hooks': {'prestart': [{'path': '/rm', 'timeout': 0}]} | hooks.prestart[0].timeout: 0 must be 1 to 2147483647",
                "'annotations': {'': 'x'} | annotations[\"\"]: a key must not be empty",
                "'linux': {'namespaces': [{'type': 'gpu'}]} | linux.namespaces[0].type: \"gpu\" must be one of pid, network",
                "'linux': {'namespaces': [{'type': 'pid'}, {'type': 'pid'}]} | linux.namespaces[1].type: \"pid\" is there twice",
                "'linux': {'devices': [{'path': '/d', 'type': 'c', 'major': 1}]} | linux.devices[0].minor: missing",
                "'linux': {'resources': {'memory': {'limit': '1g'}}} | linux.resources.memory.limit: \"1g\" must be a whole number",
                "'linux': {'resources': {'pids': {}}} | linux.resources.pids.limit: missing",
                "'linux': {'resources': {'devices': [{}]}} | linux.resources.devices[0].allow: missing",
                "'linux': {'resources': {'hugepageLimits': [{'pageSize': '2MB', 'limit': -1}]}} | hugepageLimits[0].limit: -1 must be 0",
                "'linux': {'seccomp': {'defaultAction': 'A', 'syscalls': [{'action': 'B'}]}} | linux.seccomp.syscalls[0].names: missing",
            })
    void aWrongValueIsReportedWithItsPath(String field, String message) {
        ObjectNode document = tree(minimal(""));
        document.setAll(tree(('{' + field + '}').replace('\'', '"').replace("''", "'")));

        assertThatThrownBy(() -> OciSpec.parse(document.toString()))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining(message);
    }

    @Test
    void textThatIsNoUnicodeIsRefused() {
        assertThatThrownBy(() -> TestSpecs.spec("'hostname': '\\ud800'"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith("hostname: ")
                .hasMessageEndingWith("must be Unicode text without NUL");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "[]", "null", "1", "\"text\"", "{} {}", "{'a': 1, 'a': 2}", "{a: 1}", "// no\n{}"})
    void whatIsNotOneJsonObjectIsRefused(String json) {
        assertThatThrownBy(() -> OciSpec.parse(json.replace('\'', '"')))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith("not ");
    }

    @Test
    void aSyntaxErrorIsReportedWithItsPlace() {
        assertThatThrownBy(() -> OciSpec.parse("{\n \"ociVersion\": oops}"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("line 2, column")
                .hasMessageNotContaining("Source");
    }

    @Test
    void aDocumentThatIsTooLongOrTooDeepIsRefused() {
        String long5Mib = minimal("'x': '" + "a".repeat(5 << 20) + "'");
        String deep = minimal("'x': " + "[".repeat(100) + "]".repeat(100));

        assertThatThrownBy(() -> OciSpec.parse(long5Mib))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("more than 4194304 bytes");
        assertThatThrownBy(() -> OciSpec.parse(deep))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("depth");
    }

    @Test
    void aWrongValueIsNotShownAtLength() {
        assertThatThrownBy(() -> TestSpecs.spec("'mounts': '" + "a".repeat(10_000) + "'"))
                .isInstanceOf(InvalidConfigException.class)
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(200));
    }

    @Test
    void aDocumentTruncatedAtAnyByteIsRefused() {
        byte[] whole = full().strip().getBytes(StandardCharsets.UTF_8);
        for (int length = 0; length < whole.length; length++) {
            byte[] part = Arrays.copyOf(whole, length);
            assertThatCode(() -> OciSpec.parse(part))
                    .as("the first %d bytes", length)
                    .isInstanceOf(InvalidConfigException.class);
        }
    }
}
