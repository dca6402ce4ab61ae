// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.protobuf.ByteString;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** What any server may send to a client. Runs over the committed inputs; fuzzes if JAZZER_FUZZ=1 is in the environment. */
class ClientBytesFuzzTest {
    private static final int CALLS = 3;

    @FuzzTest(maxDuration = "10m")
    void anyBytesAnswerACallOrAreIgnored(byte[] input) {
        ClientHandler handler = new ClientHandler(1);
        FuzzedBytes peer = new FuzzedBytes(handler);
        List<ClientCall> calls = new ArrayList<>();
        for (int i = 0; i < CALLS; i++) {
            ClientCall call =
                    new ClientCall(new TtrpcRequest("s", "echo", ByteString.EMPTY), Deadline.after(Duration.ofDays(1)));
            handler.submit(call);
            calls.add(call);
        }

        peer.receive(input);

        long done = calls.stream().filter(ClientCall::isDone).count();
        assertThat(handler.calls()).as("calls without an answer").isEqualTo(CALLS - (int) done);
        peer.close();
        assertThat(calls).allSatisfy(call -> {
            assertThat(call).isDone();
            if (call.isCompletedExceptionally()) {
                Throwable error = call.handle((answer, failure) -> failure).join();
                assertThat(error).isInstanceOf(TtrpcException.class);
            }
        });
        assertThat(handler.calls()).isZero();
    }
}
