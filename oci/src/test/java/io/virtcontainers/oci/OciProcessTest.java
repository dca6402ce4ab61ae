// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.GuestPath;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.User;
import java.util.List;
import org.junit.jupiter.api.Test;

class OciProcessTest {
    private static ProcessConfig config(String more) {
        return OciProcess.parse(("{'args': ['sh', '-c', 'true'], 'cwd': '/'" + more + "}").replace('\'', '"'))
                .toConfig();
    }

    @Test
    void allPartsOfAProcessArrive() {
        ProcessConfig process =
                OciSpec.parse(TestSpecs.full()).process().orElseThrow().toConfig();

        assertThat(process.command()).containsExactly("sh", "-c", "");
        assertThat(process.workingDirectory()).isEqualTo(GuestPath.of("/work"));
        assertThat(process.user()).isEqualTo(new User(1000, 1001, List.of(5L, 6L)));
        assertThat(process.terminal()).contains(new TerminalSize(40, 120));
        assertThat(process.noNewPrivileges()).isTrue();
    }

    @Test
    void environmentValuesMayHaveEqualsSignsAndEntriesWithoutAnyAreSkipped() {
        ProcessConfig process =
                OciSpec.parse(TestSpecs.full()).process().orElseThrow().toConfig();

        assertThat(process.environment())
                .containsExactly(
                        java.util.Map.entry("PATH", "/bin"),
                        java.util.Map.entry("EQ", "a=b=c"),
                        java.util.Map.entry("EMPTY", ""),
                        java.util.Map.entry("TWICE", "2"));
    }

    @Test
    void nothingIsAddedToTheEnvironment() {
        assertThat(config("").environment()).isEmpty();
    }

    @Test
    void privilegesAreAsSpecifiedAndNotByDefault() {
        assertThat(config("").noNewPrivileges()).isFalse();
    }

    @Test
    void aTerminalHasASizeAndNoTerminalHasNone() {
        assertThat(config(", 'terminal': true").terminal()).contains(new TerminalSize(24, 80));
        assertThat(config(", 'terminal': true, 'consoleSize': {'height': 0, 'width': 0}")
                        .terminal())
                .contains(new TerminalSize(24, 80));
        assertThat(config(", 'consoleSize': {'height': 10, 'width': 10}").terminal())
                .isEmpty();
    }
}
