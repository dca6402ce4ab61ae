// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.State;
import io.virtcontainers.oci.OciState.Status;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class OciStateTest {
    private static final OciState STATE =
            new OciState("1.1.0", "c1", Status.CREATED, OptionalLong.of(4422), "/run/b", Map.of("key", "value"));

    @Test
    void isWrittenCompleteAndIndented() {
        assertThat(STATE.toJson()).isEqualTo("""
                {
                  "ociVersion": "1.1.0",
                  "id": "c1",
                  "status": "created",
                  "pid": 4422,
                  "bundle": "/run/b",
                  "annotations": {
                    "key": "value"
                  }
                }""");
    }

    @Test
    void isReadAsItWasWritten() {
        assertThat(OciState.parse(STATE.toJson())).isEqualTo(STATE);
    }

    @Test
    void aStoppedContainerHasNoPid() {
        OciState stopped = new OciState("1.1.0", "c1", Status.STOPPED, OptionalLong.empty(), "/run/b", Map.of());

        assertThat(stopped.toJson()).doesNotContain("pid", "annotations");
        assertThat(OciState.parse(stopped.toJson())).isEqualTo(stopped);
    }

    @Test
    void unknownFieldsAreIgnored() {
        assertThat(OciState.parse(STATE.toJson().replace("\"id\"", "\"owner\": 5, \"id\"")))
                .isEqualTo(STATE);
    }

    @Test
    void readyIsCalledCreated() {
        assertThat(Status.of(State.READY)).hasToString("created");
        assertThat(Status.of(State.RUNNING)).hasToString("running");
        assertThat(Status.of(State.PAUSED)).hasToString("paused");
        assertThat(Status.of(State.STOPPED)).hasToString("stopped");
    }

    @Test
    void aWrongFieldIsNamed() {
        assertThatThrownBy(() -> OciState.parse(STATE.toJson().replace("created", "ready")))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessage("status: \"ready\" must be one of creating, created, running, paused, stopped");
    }
}
