// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TOML, as another parser understands it too. */
class TomlParserTest {
    private static final TomlMapper OTHER = new TomlMapper();

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "# nothing\n\n  \t# more",
                "a = 1",
                "a = 1\r\nb = 2 # x\r\n",
                "[t]\na = \"x\"\n[t.u]\nb = true\n[v]\nc = false",
                "a.b.c = 1\na.d = 2",
                "\"quoted key\" = 1\n'another' = 2\n\"\" = 3",
                "a = 'C:\\no'\nb = \"tab\\tquote\\\" back\\\\ \\u00e9 \\U0001F600\"",
                "a = \"\"\"\none\ntwo \"\" three\"\"\"\"\"\nb = '''\n'a'\nb'''",
                "a = \"\"\"x \\\n   \n  y\"\"\"",
                "a = [1, 2,\n # comment\n 3,\n]\nb = []\nc = [[1], ['x']]",
                "a = {b = 1, c.d = 'x', e = {}}\n",
                "a = 0x1F\nb = 0o17\nc = 0b101\nd = 1_000\ne = -5\nf = +7\ng = 0",
                "a = 1.5\nb = -2e3\nc = 6.02e+23\nd = 1e-2\ne = 0.0",
                "[ a . b ]\nc = 1\n[a]\nd = 2",
            })
    void isReadAsTheOtherParserDoes(String text) throws Exception {
        assertThat(ours(text)).isEqualTo(theirs(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a",
                "a =",
                "= 1",
                "a = 1 b = 2",
                "a = x",
                "a = 'x",
                "a = \"x\ny\"",
                "a = \"\\q\"",
                "a = \"\\u12\"",
                "a = [1, 2",
                "a = [1 2]",
                "a = {b = 1",
                "a = 1\na = 2",
                "[t]\n[t]",
                "[t",
                "[]",
                "a = 1\n[a]",
                "a = 1\na.b = 2",
                "a = {}\na.b = 1",
                "a = {}\n[a.b]",
                "a.b = 1\n[a]",
                "a = 01",
                "a = 1__0",
                "a = _1",
                "a = 0x",
                "a = 1.",
                "a = .5",
                "a = 1.5f",
                "a = 99999999999999999999",
                "a = \"\u0001\"",
                "# \u0001",
                "a = truely",
                "a = \"\"\"x",
            })
    void whatTheOtherParserRefusesIsRefused(String text) {
        assertThatThrownBy(() -> TomlParser.parse(text)).isInstanceOf(TomlException.class);
        if (!text.contains("9999")) { // it has numbers of any size
            assertThatThrownBy(() -> OTHER.readTree(text)).isInstanceOf(JsonProcessingException.class);
        }
    }

    @Test
    void someThingsAreReadByTheSpecificationOnly() throws Exception {
        assertThat(ours("\uFEFFa = 1")).containsExactly("[a]=1");
        assertThatThrownBy(() -> TomlParser.parse("a = \"\\uD800\""))
                .hasMessage("an escape names no character of Unicode");
        assertThatThrownBy(() -> TomlParser.parse("[a.b]\n[a]\nb.c = 1")).hasMessage("the table [a.b] is in line 1");
    }

    @Test
    void textsThatAreNearlyRightAreUnderstoodAlike() throws Exception {
        Random random = new Random(7);
        String base = "a = 1\n[t]\nb = \"x\\ty\" # c\nc = [1, 'z']\nd.e = true\nf = {g = 1.5}\n[t.u]\nh = '''\nq'''\n";
        String alphabet = "\"'=[]{}#.,\\\n \t_-+01eEabxtruefalse";
        int bothRead = 0;
        for (int i = 0; i < 4_000; i++) {
            StringBuilder text = new StringBuilder(base);
            for (int change = random.nextInt(3); change >= 0; change--) {
                int at = random.nextInt(text.length());
                if (random.nextBoolean()) {
                    text.deleteCharAt(at);
                } else {
                    text.insert(at, alphabet.charAt(random.nextInt(alphabet.length())));
                }
            }
            String other = orRefused(text.toString());
            String own = orRefusedByUs(text.toString());
            if (!other.equals(own)) {
                // Narrower by intent, or another opinion than ours on what TOML 1.0 leaves to its grammar.
                assertThat(own).as("%s%n%s", text, other).isEqualTo("refused");
                assertThat(text.toString()).as(other).containsPattern("\\[\\[|\\[[^\\]]*\\{|\\d+-\\d|\\d:|e\\d|E\\d");
            } else if (!own.equals("refused")) {
                bothRead++;
            }
        }
        assertThat(bothRead).isGreaterThan(400);
    }

    @Test
    void everyKeyHasItsLine() throws Exception {
        String text = "# one\na = \"\"\"\nx\ny\"\"\"\nb = [\n 1,\n]\n\n[t]\r\nc = 1\nd = {e = 1}\n";
        assertThat(TomlParser.parse(text).stream().map(entry -> entry.dotted() + ":" + entry.line()))
                .containsExactly("a:2", "b:5", "t.c:10", "t.d.e:11");
    }

    @Test
    void errorsHaveTheirLine() {
        assertThatThrownBy(() -> TomlParser.parse("a = 1\n\nb = ?"))
                .isInstanceOfSatisfying(
                        TomlException.class, e -> assertThat(e.line()).isEqualTo(3))
                .hasMessage("a value is expected, not \"?\"");
        assertThatThrownBy(() -> TomlParser.parse("a = 1\n[t]\n[t]")).hasMessage("the table [t] is already in line 2");
        assertThatThrownBy(() -> TomlParser.parse("[[t]]"))
                .hasMessage("[[...]], an array of tables, is not used in this file");
        assertThatThrownBy(() -> TomlParser.parse("a = 2020-01-01"))
                .hasMessage("2020-01-01 is no value: a string needs quotes, and dates are not used here");
    }

    @Test
    void depthIsLimited() {
        assertThatThrownBy(() -> TomlParser.parse("a = " + "[".repeat(100_000))).hasMessageContaining("lists in lists");
        assertThatThrownBy(() -> TomlParser.parse("a" + ".a".repeat(100_000) + " = 1"))
                .hasMessageContaining("a key of more than");
        assertThatThrownBy(() -> TomlParser.parse("a = " + "{a = ".repeat(100_000)))
                .hasMessageContaining("tables in tables");
    }

    private static String orRefusedByUs(String text) {
        try {
            return ours(text).toString();
        } catch (TomlException e) {
            return "refused";
        }
    }

    private static String orRefused(String text) throws Exception {
        try {
            return theirs(text).toString();
        } catch (JsonProcessingException e) {
            return "refused";
        }
    }

    private static List<String> ours(String text) throws TomlException {
        return TomlParser.parse(text).stream()
                .map(entry -> entry.path() + "=" + shown(entry.value()))
                .sorted()
                .toList();
    }

    private static String shown(TomlValue value) {
        if (value instanceof TomlValue.Text string) {
            return '"' + string.value() + '"';
        } else if (value instanceof TomlValue.Fraction fraction) {
            return "f" + fraction.value();
        } else if (value instanceof TomlValue.Array array) {
            return array.values().stream().map(TomlParserTest::shown).collect(Collectors.joining(",", "[", "]"));
        }
        return value.toString();
    }

    private static List<String> theirs(String text) throws Exception {
        List<String> lines = new ArrayList<>();
        collect(List.of(), OTHER.readTree(text), lines);
        return lines.stream().sorted().toList();
    }

    private static void collect(List<String> path, JsonNode node, List<String> lines) {
        if (!node.isObject()) {
            lines.add(path + "=" + shown(node));
            return;
        }
        node.properties().forEach(field -> {
            List<String> deeper = new ArrayList<>(path);
            deeper.add(field.getKey());
            collect(deeper, field.getValue(), lines);
        });
    }

    private static String shown(JsonNode node) {
        if (node.isTextual()) {
            return '"' + node.textValue() + '"';
        } else if (node.isFloatingPointNumber()) {
            return "f" + node.doubleValue();
        } else if (node.isArray()) {
            List<String> items = new ArrayList<>();
            node.forEach(item -> items.add(shown(item)));
            return "[" + String.join(",", items) + "]";
        }
        return node.toString();
    }
}
