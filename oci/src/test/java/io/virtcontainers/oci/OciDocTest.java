// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** docs/oci.md has a row for every field of the specification, which full.json has all of, and for no other. */
class OciDocTest {
    private static final Path DOC = Path.of(System.getProperty("basedir", ".")).resolve("../docs/oci.md");
    private static final Pattern FIELD = Pattern.compile("`([^`]+)`");
    private static final Set<String> OTHER_SYSTEMS = Set.of("vm", "windows", "solaris", "zos", "process.user.username");

    private static List<String> documented() throws IOException {
        return Files.readAllLines(DOC).stream()
                .filter(line -> line.startsWith("| `"))
                .map(line -> line.substring(0, line.indexOf(" | ")))
                .flatMap(fields -> FIELD.matcher(fields).results().map(field -> field.group(1)))
                .filter(field -> !OTHER_SYSTEMS.contains(field))
                .toList();
    }

    private static void collect(JsonNode node, String path, Set<String> leaves) {
        if (node.isObject()) {
            node.properties().forEach(field -> {
                if (!field.getKey().startsWith("x-")) {
                    collect(field.getValue(), path.isEmpty() ? field.getKey() : path + '.' + field.getKey(), leaves);
                }
            });
        } else if (node.path(0).isObject()) {
            node.forEach(entry -> collect(entry, path + "[]", leaves));
        } else if (!OTHER_SYSTEMS.contains(path)) {
            leaves.add(path);
        }
    }

    private static boolean covers(String row, String path) {
        return path.equals(row) || path.startsWith(row + '.') || path.startsWith(row + "[].");
    }

    @Test
    void everyFieldHasOneRowAndEveryRowAField() throws IOException {
        Set<String> fields = new TreeSet<>();
        collect(TestSpecs.tree(TestSpecs.full()), "", fields);
        List<String> rows = documented();

        assertThat(fields)
                .hasSizeGreaterThan(100)
                .allSatisfy(field -> assertThat(rows.stream().filter(row -> covers(row, field)))
                        .as("rows for %s", field)
                        .hasSize(1));
        assertThat(rows).allSatisfy(row -> assertThat(fields).anyMatch(field -> covers(row, field)));
    }
}
