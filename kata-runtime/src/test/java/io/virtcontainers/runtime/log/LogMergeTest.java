// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Logs of runtime, agent and console become one, by time. */
class LogMergeTest {
    private static String line(String time, String message, String source, String sandbox) {
        return "time=\"2026-11-30T10:00:" + time + "Z\" level=info msg=\"" + message + "\" name=kata-runtime pid=1"
                + " source=" + source + " sandbox=" + sandbox;
    }

    private static LogMerge merge(Optional<String> sandbox, String... files) throws IOException {
        LogMerge merge = new LogMerge(sandbox, Optional.empty());
        for (int i = 0; i < files.length; i++) {
            merge.read("file" + i, new BufferedReader(new StringReader(files[i])));
        }
        return merge;
    }

    @Test
    void filesAreMergedByTimeAndEachLineIsThereOnce() throws IOException {
        String runtime = line("01.5", "one", "runtime", "s") + "\n" + line("03", "three", "virtcontainers", "s") + "\n";
        String json = "{\"level\":\"debug\",\"msg\":\"agent warning: two\",\"time\":\"2026-11-30T11:00:02+01:00\","
                + "\"name\":\"kata-runtime\",\"pid\":2,\"source\":\"vmconsole\",\"sandbox\":\"s\"}\n";
        LogMerge merge = merge(Optional.empty(), runtime, json, runtime);
        assertThat(merge.entries().stream().map(LogEntry::message)).containsExactly("one", "two", "three");
        LogEntry agent = merge.entries().get(1);
        assertThat(agent.fields()).containsEntry("source", "agent").containsEntry("pid", "2");
        assertThat(agent.level()).isEqualTo(Level.WARNING);
        assertThat(merge.problems()).isEmpty();
        assertThat(merge.summary())
                .isEqualTo("5 lines read, 0 of them not of a log's form; 3 entries {agent=1, runtime=1,"
                        + " virtcontainers=1}");
    }

    @Test
    void ofOneSandbox() throws IOException {
        LogMerge merge =
                merge(Optional.of("s"), line("01", "one", "runtime", "s") + "\n" + line("02", "two", "runtime", "t"));
        assertThat(merge.entries().stream().map(LogEntry::message)).containsExactly("one");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "some words",
                "{\"level\":\"info\"",
                "{\"level\":\"info\",\"msg\":\"x\",\"time\":\"2026-11-30T10:00:00Z\"}",
                "time=\"2026-11-30T10:00:00Z\" level=info msg=\"x name=y",
                "time=\"2026-11-30\" level=info msg=x name=n source=s pid=1",
                "time=\"2026-11-30T10:00:00Z\" level=loud msg=x name=n source=s pid=1",
                "level=info msg=x name=n source=s pid=1",
                "time=\"2026-11-30T10:00:00Z\" level=info msg=\"\\q\" name=n source=s pid=1",
            })
    void aLineThatIsNoneOfALogIsNamed(String bad) throws IOException {
        LogMerge merge = merge(Optional.empty(), line("01", "one", "runtime", "s") + "\n\n" + bad + "\n");
        assertThat(merge.problems()).hasSize(1).first().asString().startsWith("file0:3: ");
        assertThat(merge.entries()).hasSize(1);
    }

    @Test
    void bothFormsGiveBackWhatWasWritten() throws LogFormatException {
        Random random = new Random(1);
        for (int i = 0; i < 2_000; i++) {
            LogEntry entry = new LogEntry(
                    Instant.ofEpochSecond(random.nextInt(), random.nextInt(1_000_000_000)),
                    random.nextBoolean() ? Level.WARNING : Level.DEBUG,
                    text(random),
                    Map.of("a", text(random), "b_c", text(random)));
            assertThat(LogEntry.parse(entry.text())).as(entry.text()).isEqualTo(entry);
            assertThat(LogEntry.parse(entry.json())).as(entry.json()).isEqualTo(entry);
            assertThat(entry.text() + entry.json()).doesNotContain("\n");
        }
    }

    private static String text(Random random) {
        String alphabet = "ab \"\\=\n\t\u0001\u00e9\u2028{}";
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(12); i > 0; i--) {
            text.append(alphabet.charAt(random.nextInt(alphabet.length())));
        }
        return text.toString();
    }

    @Test
    void aStructureInJsonIsLeftOut() throws LogFormatException {
        String start = "{\"level\":\"info\",\"msg\":\"x\",\"time\":\"2026-11-30T10:00:00Z\",";
        assertThat(LogEntry.parse(start + "\"deep\":{\"a\":[1]},\"n\":null,\"b\":true}")
                        .fields())
                .isEqualTo(Map.of("n", "null", "b", "true"));
        assertThatThrownBy(() -> LogEntry.parse(start + "\"a\":1} more")).isInstanceOf(LogFormatException.class);
    }
}
