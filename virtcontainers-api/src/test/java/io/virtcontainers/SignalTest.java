// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SignalTest {
    @ParameterizedTest
    @ValueSource(strings = {"9", "KILL", "SIGKILL", "sigkill", " kill "})
    void isFoundByNumberAndName(String text) {
        assertThat(Signal.of(text)).isEqualTo(Signal.KILL).hasToString("SIGKILL");
    }

    @Test
    void namesAreInTheOrderOfTheirNumbers() {
        assertThat(Signal.of("HUP").number()).isEqualTo(1);
        assertThat(Signal.of("CHLD").number()).isEqualTo(17);
        assertThat(Signal.of("SYS").number()).isEqualTo(31);
        assertThat(new Signal(34)).hasToString("signal 34");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "65", "999", "99999999999", "-1", "FOO", "SIG"})
    void whatIsNoSignalIsRefused(String text) {
        assertThatThrownBy(() -> Signal.of(text)).isInstanceOf(InvalidConfigException.class);
    }

    @Test
    void anExitCodeAbove128NamesItsSignal() {
        assertThat(new ExitStatus(143).signal()).hasValue(15);
        assertThat(new ExitStatus(128).signal()).isEmpty();
        assertThat(new ExitStatus(255).signal()).isEmpty();
        assertThat(new ExitStatus(7).signal()).isEmpty();
    }

    @Test
    void theStatesFollowKatasTable() {
        assertThat(State.READY.mayBecome(State.PAUSED)).isFalse();
        assertThat(State.READY.mayBecome(State.RUNNING)).isTrue();
        assertThat(State.RUNNING.mayBecome(State.PAUSED)).isTrue();
        assertThat(State.PAUSED.mayBecome(State.RUNNING)).isTrue();
        assertThat(State.STOPPED.mayBecome(State.RUNNING)).isTrue();
        assertThat(State.STOPPED.mayBecome(State.PAUSED)).isFalse();
        assertThat(State.RUNNING).hasToString("running");
    }
}
