// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** What any client may send to a server. Runs over the committed inputs; fuzzes if JAZZER_FUZZ=1 is in the environment. */
class ServerBytesFuzzTest {
    private static final Map<String, Map<String, TtrpcMethod>> SERVICES = Map.of(
            "s",
            Map.of(
                    "echo", (request, deadline) -> CompletableFuture.completedFuture(request.payload()),
                    "fail",
                            (request, deadline) -> {
                                throw new TtrpcException(StatusCode.ABORTED, "as asked");
                            },
                    "never", (request, deadline) -> new CompletableFuture<>()));

    @FuzzTest(maxDuration = "10m")
    void anyBytesAreAnsweredOrIgnored(byte[] input) throws Exception {
        ServerConnection connection = new ServerConnection(SERVICES, Runnable::run, 4);
        FuzzedBytes peer = new FuzzedBytes(connection);

        peer.receive(input);

        assertThat(connection.requests()).isBetween(0, 4);
        Set<Integer> successes = new HashSet<>();
        for (Frame frame : peer.sent()) {
            assertThat(frame.type()).isEqualTo(Frame.RESPONSE);
            assertThat(frame.flags()).isZero();
            ResponseMessage response = ResponseMessage.parse(frame.data());
            if (response.code() == StatusCode.OK) {
                assertThat(successes.add(frame.streamId()))
                        .as("one success in a stream")
                        .isTrue();
            } else {
                assertThat(response.message()).isNotEmpty();
            }
        }
        peer.close();
        assertThat(connection.requests()).as("requests after the end").isZero();
    }
}
