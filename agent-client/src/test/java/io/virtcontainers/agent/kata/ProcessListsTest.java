// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.virtcontainers.AgentException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProcessListsTest {
    @Test
    void readsPids() {
        assertThat(ProcessLists.pids(ByteString.copyFromUtf8(" [ 1, 4194304 ]\n")))
                .containsExactly(1L, 4194304L);
        assertThat(ProcessLists.pids(ByteString.copyFromUtf8("[]"))).isEmpty();
        assertThat(ProcessLists.pids(ByteString.copyFromUtf8("null"))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[",
                "[1",
                "[1,]",
                "{}",
                "7",
                "[0]",
                "[-1]",
                "[4194305]",
                "[99999999999999999999999]",
                "[1.5]",
                "[1e3]",
                "[\"1\"]",
                "[[1]]",
                "[null]",
                "[1][2]",
                "[1] x",
                "nullx",
                "\u0000",
                "[NaN]"
            })
    void refusesAllElse(String json) {
        assertThatThrownBy(() -> ProcessLists.pids(ByteString.copyFromUtf8(json)))
                .isInstanceOf(AgentException.class);
    }

    @Test
    void refusesWhatIsTooLongOrTooDeep() {
        assertThatThrownBy(() -> ProcessLists.pids(ByteString.copyFromUtf8("[" + "1,".repeat(100_000) + "1]")))
                .isInstanceOf(AgentException.class)
                .hasMessage("the agent sent 100001 pids, more than 100000");
        assertThatThrownBy(() -> ProcessLists.pids(ByteString.copyFromUtf8("[".repeat(500_000))))
                .isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> ProcessLists.pids(ByteString.copyFromUtf8("9".repeat(500_000))))
                .isInstanceOf(AgentException.class)
                .satisfies(error -> assertThat(error.getMessage()).hasSizeLessThan(2200));
    }

    @Test
    void refusesBytesThatAreNotText() {
        assertThatThrownBy(() -> ProcessLists.pids(ByteString.copyFrom(new byte[] {'[', (byte) 0xff, (byte) 0xc0})))
                .isInstanceOf(AgentException.class);
    }

    @Test
    void aTableCannotDriveATerminal() {
        ByteString table = ByteString.copyFromUtf8("PID\tCMD\n1\t\u001b[2Jsh\u202e\r\n")
                .concat(ByteString.copyFrom(new byte[] {(byte) 0xff}));
        assertThat(ProcessLists.table(table)).isEqualTo("PID\tCMD\n1\t?[2Jsh??\n\ufffd");
        assertThat(ProcessLists.table(ByteString.EMPTY)).isEmpty();
    }
}
