// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.base.Splitter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every cell of docs/features.md names a test that is there. */
class FeaturesTest {
    private static final Path ROOT = Path.of(System.getProperty("basedir", ".")).resolve("..");
    private static final int COLUMNS = 5;
    private static final Pattern CELL = Pattern.compile("-|lab: `(\\w+)`|(no: |text: )?`([A-Z]\\w+Test)(\\.(\\w+))?`");

    private static final Pattern BASE = Pattern.compile("class \\w+ extends (\\w+)");

    static List<String> rows() throws IOException {
        return Files.readAllLines(ROOT.resolve("docs/features.md")).stream()
                .filter(line -> line.startsWith("| ") && !line.startsWith("| feature |"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("rows")
    void theTestsOfARowAreThere(String row) throws IOException {
        List<String> cells = Splitter.on(" | ").splitToList(row.replaceAll("^\\| | \\|$", ""));
        assertThat(cells).as(row).hasSize(COLUMNS);
        assertThat(cells.subList(1, COLUMNS)).as(row).anyMatch(cell -> !cell.equals("-"));
        for (String cell : cells.subList(1, COLUMNS)) {
            Matcher named = CELL.matcher(cell);
            assertThat(named.matches()).as(cell).isTrue();
            if (named.group(1) != null) {
                assertThat(ROOT.resolve("scripts/lab/test")).content().contains("\n" + named.group(1) + "() {\n");
            } else if (named.group(3) != null) {
                assertThat(isThere(named.group(3), named.group(5))).as(cell).isTrue();
            }
        }
    }

    private static boolean isThere(String name, @Nullable String method) throws IOException {
        try (Stream<Path> files = Files.find(
                ROOT, 20, (path, attributes) -> path.endsWith(name + ".java") && attributes.isRegularFile())) {
            Path source = files.findFirst().orElse(null);
            if (source == null || method == null) {
                return source != null;
            }
            String text = Files.readString(source);
            Matcher base = BASE.matcher(text);
            return text.contains("void " + method + "(") || (base.find() && isThere(base.group(1), method));
        }
    }
}
