// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** docs/configuration.md is what the declarations of the options say. */
class DocumentationTest {
    private static final Path ROOT = Path.of(System.getProperty("basedir", ".")).resolve("..");

    /** To write it anew: {@code ./mvnw -pl kata-runtime test -Dtest=DocumentationTest -Ddocs.write=true}. */
    @Test
    void theDocumentationOfTheOptionsIsUpToDate() throws IOException {
        Path file = ROOT.resolve("docs/configuration.md");
        if (Boolean.getBoolean("docs.write")) {
            Files.writeString(file, ConfigurationText.documentation());
        }
        assertThat(file).hasContent(ConfigurationText.documentation());
    }
}
