// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The README's example is the compiled one. */
class ReadmeTest {
    @Test
    void theReadmeShowsTheCompiledExample() throws IOException {
        String source = Files.readString(Path.of("src/main/java/io/virtcontainers/examples/FiveLines.java"));
        String region = source.substring(
                source.indexOf('\n', source.indexOf("README:begin")) + 1,
                source.lastIndexOf('\n', source.indexOf("README:end")));
        assertThat(Files.readString(Path.of("../README.md"))).contains("```java\n" + region.stripIndent() + "\n```");
    }
}
