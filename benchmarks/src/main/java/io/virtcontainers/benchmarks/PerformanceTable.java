// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;

/**
 * Writes the figures of the last runs as Markdown tables into a document, between two comments. Usage: {@code
 * PerformanceTable DOCUMENT}.
 */
public final class PerformanceTable {
    private static final String BEGIN = "<!-- figures: written by bin/bench -->";
    private static final String END = "<!-- end of figures -->";
    private static final List<String> ORDER =
            List.of("boot", "clone", "snapshot", "agent", "files", "network", "state", "supervisor", "scale");

    private PerformanceTable() {}

    public static void main(String[] args) throws Exception {
        Path document = Path.of(args[0]);
        String text = Files.readString(document);
        int begin = text.indexOf(BEGIN);
        int end = text.indexOf(END);
        if (begin < 0 || end < begin) {
            throw new IllegalStateException(document + " has no place for figures: " + BEGIN + " ... " + END);
        }
        Files.writeString(document, text.substring(0, begin) + BEGIN + "\n" + figures() + text.substring(end));
        System.out.println(document);
    }

    private static String figures() throws IOException, InterruptedException {
        StringBuilder text = new StringBuilder("\nOn " + LocalDate.now(ZoneOffset.UTC) + ": " + Machine.told() + ".\n");
        for (String name : ORDER) {
            Path file = Report.DIRECTORY.resolve(name + ".json");
            if (Files.exists(file)) {
                JsonNode report = JsonMapper.builder().build().readTree(file.toFile());
                text.append("\n### `bin/bench ").append(name).append("`\n\n");
                text.append(report.path("method").asText());
                text.append(String.format(
                        java.util.Locale.ROOT,
                        " Load of the host before and after: %.1f, %.1f.%n%n",
                        report.path("loadBefore").asDouble(),
                        report.path("loadAfter").asDouble()));
                text.append("| what | measured | against | ratio | target | |\n|---|---|---|---|---|---|\n");
                for (JsonNode figure : report.path("figures")) {
                    text.append(row(figure));
                }
            }
        }
        return text.append('\n').toString();
    }

    private static String row(JsonNode figure) {
        String met = !figure.has("met") ? "" : figure.path("met").asBoolean() ? "met" : "**missed**";
        return "| "
                + String.join(
                        " | ",
                        figure.path("what").asText(),
                        figure.path("shown").asText(),
                        figure.path("shownBaseline").asText(),
                        figure.path("shownRatio").asText(),
                        figure.path("target").asText(),
                        met)
                + " |\n";
    }
}
