// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Status;
import java.nio.channels.ClosedChannelException;
import org.junit.jupiter.api.Test;

class AgentErrorsTest {
    /** What gRPC makes of a write to a channel that has just been closed. */
    @Test
    void aClosedChannelIsALostConnectionWhateverItsCode() {
        Status closed = Status.UNKNOWN.withDescription("channel closed").withCause(new ClosedChannelException());
        assertThat(AgentErrors.isConnectionLoss(closed.asRuntimeException())).isTrue();
        assertThat(AgentErrors.isProtocolError(closed.asRuntimeException())).isFalse();
        Status said = Status.UNKNOWN.withDescription("channel closed");
        assertThat(AgentErrors.isConnectionLoss(said.asRuntimeException())).isFalse();
    }
}
