// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The README's examples are the compiled ones. */
class ReadmeTest {
    @Test
    void theReadmeShowsTheCompiledExamples() throws IOException {
        assertShown("FiveLines.java", "README");
        assertShown("Detached.java", "README-Detached");
    }

    private static void assertShown(String example, String mark) throws IOException {
        String source = Files.readString(Path.of("src/main/java/io/virtcontainers/examples", example));
        String region = source.substring(
                source.indexOf('\n', source.indexOf(mark + ":begin")) + 1,
                source.lastIndexOf('\n', source.indexOf(mark + ":end")));
        assertThat(Files.readString(Path.of("../README.md"))).contains("```java\n" + region.stripIndent() + "\n```");
    }
}
