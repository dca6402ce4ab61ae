// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.virtcontainers.runtime.log.LogMerge;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * {@code kata-log-parser}: merges logs by time, of a sandbox or a container or all, and checks them. Lines of a guest's
 * console that its agent has written become lines of the agent.
 */
final class LogParserCommand {
    private static final List<Option> OPTIONS = List.of(
            Option.value("sandbox"), Option.value("container"), Option.value("format", "f"), Option.flag("check"));

    private LogParserCommand() {}

    /** Exit code 1 if a line is no log line, or there is none. */
    static int run(List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("kata-log-parser", words, OPTIONS);
        String format = arguments.value("format").orElse("text");
        if (!format.equals("text") && !format.equals("json")) {
            throw new UsageException("unknown log-format \"" + format + '"');
        }
        if (arguments.rest().isEmpty()) {
            throw new UsageException("kata-log-parser: name files, or - for the standard input");
        }
        LogMerge merge = new LogMerge(arguments.value("sandbox"), arguments.value("container"));
        for (String file : arguments.rest()) {
            try (InputStream in = file.equals("-") ? System.in : Files.newInputStream(Path.of(file));
                    BufferedReader lines = new BufferedReader(new InputStreamReader(in, UTF_8))) {
                merge.read(file, lines);
            }
        }
        if (!arguments.is("check")) {
            merge.entries().forEach(entry -> System.out.println(format.equals("json") ? entry.json() : entry.text()));
        }
        merge.problems().forEach(System.err::println);
        System.err.println(merge.summary());
        return merge.problems().isEmpty() && !merge.entries().isEmpty() ? 0 : Main.FAILED;
    }
}
