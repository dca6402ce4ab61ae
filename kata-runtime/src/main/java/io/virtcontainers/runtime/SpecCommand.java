// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** {@code spec}: writes a {@code config.json} to begin with. */
final class SpecCommand {
    private static final String TEMPLATE = "config.json";

    private SpecCommand() {}

    static int run(List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("spec", words, List.of(Option.value("bundle", "b")));
        Path file = Path.of(arguments.value("bundle").orElse("")).resolve(TEMPLATE);
        try (InputStream template = SpecCommand.class.getResourceAsStream(TEMPLATE)) {
            if (template == null) {
                throw new FileNotFoundException("the program is incomplete: its resource " + TEMPLATE + " is missing");
            }
            long unused = Files.copy(template, file);
            return 0;
        } catch (FileAlreadyExistsException e) {
            throw new UsageException("File " + file + " exists. Remove it first");
        }
    }
}
