// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.base.Splitter;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every row of docs/oci.md is held by a test: what it names is there, and is about the field. */
class OciMatrixTest {
    private static final Path ROOT = Path.of(System.getProperty("basedir", ".")).resolve("..");
    private static final Pattern NAME = Pattern.compile("`([^`]+)`");
    private static final int COLUMNS = 4;

    record Row(List<String> fields, String what, List<String> tests) {
        boolean isHeldBy(String test) {
            return tests.contains(test);
        }
    }

    static List<Row> rows() throws IOException {
        return Files.readAllLines(ROOT.resolve("docs/oci.md")).stream()
                .filter(line -> line.startsWith("| `"))
                .map(OciMatrixTest::row)
                .toList();
    }

    private static Row row(String line) {
        List<String> columns = Splitter.on(" | ")
                .splitToList(line.replaceAll("^\\| | \\|$", "").replace("| |", "|  |"));
        assertThat(columns).as(line).hasSize(COLUMNS);
        return new Row(names(columns.get(0)), columns.get(1), names(columns.get(3)));
    }

    private static List<String> names(String column) {
        return NAME.matcher(column)
                .results()
                .map((MatchResult name) -> name.group(1))
                .toList();
    }

    @Test
    void thereAreRows() throws IOException {
        assertThat(rows()).hasSizeGreaterThan(70);
        assertThat(rows()).extracting(Row::what).containsOnly("works", "host", "refused", "left out");
        assertThat(rows().stream().flatMap(row -> row.fields().stream())).doesNotHaveDuplicates();
    }

    @ParameterizedTest
    @MethodSource("rows")
    void theTestsOfARowAreThere(Row row) throws IOException {
        assertThat(row.tests()).isNotEmpty();
        for (String test : row.tests()) {
            assertThat(exists(test)).as(test).isTrue();
        }
    }

    @ParameterizedTest
    @MethodSource("rows")
    void whatWorksIsProvedOnAVirtualMachine(Row row) {
        if (row.what().equals("works")) {
            assertThat(row.tests()).anyMatch(test -> method(test).isPresent());
        }
    }

    @ParameterizedTest
    @MethodSource("rows")
    void whatDoesNotWorkIsTriedOnAVirtualMachine(Row row) {
        boolean byName = row.isHeldBy("refusedByName") && row.what().equals("refused");
        if (byName || row.isHeldBy("leftOutAndLogged")) {
            String test = byName ? "refusedByName" : "leftOutAndLogged";
            assertThat(method(test).orElseThrow().getAnnotation(CsvSource.class).value())
                    .as("%s has a line for one of %s", test, row.fields())
                    .anyMatch(line -> row.fields().stream().anyMatch(field -> isAbout(line, field)));
        }
    }

    /** The names end with those of the fields, as {@code $.mounts[0].uidMappings}. */
    private static boolean isAbout(String line, String field) {
        String name = line.substring(line.lastIndexOf(" | ") + 1);
        return Pattern.compile("[ .]" + Pattern.quote(field.replace("[]", "[0]")) + "(?![A-Za-z])")
                .matcher(name)
                .find();
    }

    private static Optional<Method> method(String name) {
        return Arrays.stream(OciFieldsVmTest.class.getDeclaredMethods())
                .filter(method -> method.getName().equals(name))
                .filter(method ->
                        method.isAnnotationPresent(Test.class) || method.isAnnotationPresent(ParameterizedTest.class))
                .findFirst();
    }

    /** A method of OciFieldsVmTest, or a class of any module, or {@code Class.method}. */
    private static boolean exists(String test) throws IOException {
        if (Character.isLowerCase(test.charAt(0))) {
            return method(test).isPresent();
        }
        List<String> parts = Splitter.on('.').splitToList(test);
        try (Stream<Path> files = Files.find(ROOT, 20, (path, attributes) -> path.endsWith(parts.get(0) + ".java"))) {
            Optional<Path> source = files.findFirst();
            return source.isPresent()
                    && (parts.size() == 1 || Files.readString(source.get()).contains("void " + parts.get(1) + "("));
        }
    }
}
