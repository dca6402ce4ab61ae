// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Optional;

/** The file of {@code --log}, from which engines read why a command failed. */
final class ErrorLog {
    private final Optional<Path> file;
    private final boolean json;

    ErrorLog(GlobalOptions options) {
        file = options.log();
        json = options.json();
    }

    /** Appends an error; a log that cannot be written must not hide the error, which stderr has too. */
    void write(String message) {
        if (file.isEmpty()) {
            return;
        }
        String time = OffsetDateTime.now(ZoneId.systemDefault()).format(DateTimeFormatter.ISO_OFFSET_DATE_TIME);
        String line = json
                ? JsonNodeFactory.instance
                        .objectNode()
                        .put("level", "error")
                        .put("msg", message)
                        .put("name", "kata-runtime")
                        .put("time", time)
                        .toString()
                : "time=\"" + time + "\" level=error msg=" + JsonNodeFactory.instance.textNode(message)
                        + " name=kata-runtime";
        try {
            Files.write(
                    file.get(), (line + '\n').getBytes(UTF_8), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            System.err.println("cannot write the log " + file.get() + ": " + e);
        }
    }
}
