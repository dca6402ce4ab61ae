// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A directory for each test, with the command line in it; whatever the test leaves is deleted. */
@Tag("vm")
@Timeout(300)
abstract class WithCli {
    @TempDir
    Path directory;

    Cli cli;

    @BeforeEach
    void open() throws IOException {
        cli = new Cli(directory);
    }

    @AfterEach
    void close() throws IOException, InterruptedException {
        cli.close();
    }
}
