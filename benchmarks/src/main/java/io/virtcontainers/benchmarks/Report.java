// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.benchmarks;

import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The figures of one benchmark: printed as they come, and written to {@code benchmarks/target/NAME.json}. */
final class Report {
    static final Path DIRECTORY = Path.of("benchmarks/target/figures");

    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final String name;
    private final String method;
    private final double load = Machine.load();
    private final List<Map<String, Object>> figures = new ArrayList<>();

    /** @param method how it is measured, one sentence */
    Report(String name, String method) {
        this.name = name;
        this.method = method;
    }

    void add(Figure figure) {
        System.out.println(figure.line());
        figures.add(figure.json());
    }

    void write() throws IOException {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("benchmark", name);
        all.put("method", method);
        all.put("loadBefore", load);
        all.put("loadAfter", Machine.load());
        all.put("figures", figures);
        Files.createDirectories(DIRECTORY);
        JSON.writerWithDefaultPrettyPrinter()
                .writeValue(DIRECTORY.resolve(name + ".json").toFile(), all);
    }
}
