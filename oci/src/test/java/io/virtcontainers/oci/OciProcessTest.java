// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.Capabilities;
import io.virtcontainers.GuestPath;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Rlimit;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.User;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
        assertThat(config("").capabilities()).isEmpty();
        assertThat(config("").rlimits()).isEmpty();
        assertThat(config(", 'capabilities': {}").capabilities()).contains(Capabilities.none());
    }

    @Test
    void capabilitiesAndLimitsArrive() {
        ProcessConfig process = config(", 'capabilities': {'bounding': ['CAP_A'], 'effective': ['CAP_B'],"
                + " 'inheritable': ['CAP_C'], 'permitted': ['CAP_D'], 'ambient': ['CAP_E']},"
                + " 'rlimits': [{'type': 'RLIMIT_CORE', 'hard': 18446744073709551615, 'soft': 7}]");
        assertThat(process.capabilities())
                .contains(new Capabilities(
                        List.of("CAP_A"), List.of("CAP_B"), List.of("CAP_C"), List.of("CAP_D"), List.of("CAP_E")));
        assertThat(process.rlimits()).containsExactly(new Rlimit("RLIMIT_CORE", 7, Rlimit.UNLIMITED));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{'type': 'RLIMIT_BOGUS', 'hard': 1, 'soft': 1} | resource limit \"RLIMIT_BOGUS\"",
                "{'type': 'RLIMIT_CORE', 'hard': 1, 'soft': 2}  | soft limit of RLIMIT_CORE 2",
            })
    void aWrongLimitIsNamed(String limit, String problem) {
        assertThatThrownBy(() -> config(", 'rlimits': [" + limit + "]"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageStartingWith("rlimits[0].type: " + problem);
    }

    private static OciProcess process(String more) {
        return OciProcess.parse(("{'args': ['sh'], 'cwd': '/'" + more + "}").replace('\'', '"'));
    }

    @Test
    void aFurtherProcessIsRefusedWhatTheGuestCannotDo() {
        OciProcess usual = process(", 'user': {'uid': 5, 'umask': 18}, 'oomScoreAdj': 5, 'apparmorProfile': 'p'");
        assertThat(usual.toExecConfig()).isEqualTo(usual.toConfig());
        assertThatThrownBy(process(", 'user': {'umask': 63}")::toExecConfig)
                .isInstanceOf(UnsupportedException.class)
                .hasMessageStartingWith("user.umask: 63");
        assertThatThrownBy(process(", 'scheduler': {'policy': 'SCHED_FIFO'}")::toExecConfig)
                .isInstanceOf(UnsupportedException.class)
                .hasMessageStartingWith("scheduler:");
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
