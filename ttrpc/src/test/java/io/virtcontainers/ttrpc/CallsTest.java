// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import static io.virtcontainers.ttrpc.Fixture.SERVICE;
import static io.virtcontainers.ttrpc.Fixture.bytes;
import static io.virtcontainers.ttrpc.Fixture.request;
import static io.virtcontainers.ttrpc.Fixture.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.BytesValue;
import com.google.protobuf.Int64Value;
import com.google.protobuf.StringValue;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.UnsupportedException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(60)
class CallsTest {
    @RegisterExtension
    private final Fixture fixture = new Fixture();

    @Test
    void manyThreadsShareAConnection() throws Exception {
        fixture.listening();
        TtrpcClient client = fixture.client();
        List<Future<?>> threads = new ArrayList<>();
        for (int thread = 0; thread < 8; thread++) {
            String name = "thread " + thread;
            threads.add(fixture.executor.submit(() -> {
                for (int i = 0; i < 500; i++) {
                    ByteString payload = bytes(name + ", call " + i);
                    assertThat(client.call(request("echo", payload), seconds(30)))
                            .isEqualTo(payload);
                }
            }));
        }
        for (Future<?> thread : threads) {
            thread.get();
        }
    }

    @Test
    void answersComeInAnyOrder() {
        fixture.listening();
        TtrpcClient client = fixture.client();
        CompletableFuture<ByteString> first = client.start(request("hang"), seconds(30));

        assertThat(client.call(request("echo", bytes("second")), seconds(30))).isEqualTo(bytes("second"));
        assertThat(first).isNotDone();

        await().until(() -> !fixture.hanging.isEmpty());
        fixture.hanging.remove().complete(bytes("first"));
        assertThat(first.join()).isEqualTo(bytes("first"));
    }

    @Test
    void messagesAreTyped() {
        fixture.listening(fixture.builder()
                .method(
                        SERVICE,
                        "length",
                        TtrpcMethod.typed(
                                StringValue.parser(),
                                (message, request, deadline) -> CompletableFuture.completedFuture(
                                        Int64Value.of(message.getValue().length())))));
        TtrpcClient client = fixture.client();

        Int64Value length = client.call(SERVICE, "length", StringValue.of("four"), Int64Value.parser(), seconds(30));

        assertThat(length.getValue()).isEqualTo(4);
        assertCode(StatusCode.INVALID_ARGUMENT, () -> client.call(request("length", bytes("\n\u007f")), seconds(30)));
        BytesValue notUtf8 = BytesValue.of(ByteString.copyFrom(new byte[] {-1}));
        assertCode(StatusCode.INTERNAL, () -> client.call(SERVICE, "echo", notUtf8, StringValue.parser(), seconds(30)));
    }

    @Test
    void cancellingReachesATypedMethod() {
        CompletableFuture<StringValue> answer = new CompletableFuture<>();
        TtrpcMethod method = TtrpcMethod.typed(StringValue.parser(), (message, request, deadline) -> answer);

        method.handle(request("any"), seconds(30)).toCompletableFuture().cancel(false);

        assertThat(answer).isCancelled();
    }

    @Test
    void metadataReachTheMethod() {
        CompletableFuture<Map<String, List<String>>> seen = new CompletableFuture<>();
        fixture.listening(fixture.builder().method(SERVICE, "look", (request, deadline) -> {
            seen.complete(request.metadata());
            return CompletableFuture.completedFuture(ByteString.EMPTY);
        }));
        var metadata = Map.of("containerd-namespace-ttrpc", List.of("k8s.io"), "other", List.of("ä", ""));

        fixture.client().call(new TtrpcRequest(SERVICE, "look", ByteString.EMPTY, metadata), seconds(30));

        assertThat(seen.join()).isEqualTo(metadata);
    }

    @Test
    void whatIsNotThereIsUnimplemented() {
        fixture.listening();
        TtrpcClient client = fixture.client();

        assertThatThrownBy(() -> client.call(new TtrpcRequest("no.Such", "echo", ByteString.EMPTY), seconds(30)))
                .hasMessageContaining("no.Such/echo was refused: UNIMPLEMENTED: there is no service no.Such");
        assertCode(StatusCode.UNIMPLEMENTED, () -> client.call(request("nothing"), seconds(30)));
    }

    static Stream<Arguments> errors() {
        return Stream.of(
                Arguments.of(new TtrpcException(StatusCode.DATA_LOSS, "gone"), StatusCode.DATA_LOSS),
                Arguments.of(new NotFoundException("gone"), StatusCode.NOT_FOUND),
                Arguments.of(new AlreadyExistsException("there"), StatusCode.ALREADY_EXISTS),
                Arguments.of(new UnsupportedException("cannot"), StatusCode.UNIMPLEMENTED),
                Arguments.of(new DeadlineExceededException("late"), StatusCode.DEADLINE_EXCEEDED),
                Arguments.of(new CompletionException(new NotFoundException("gone")), StatusCode.NOT_FOUND),
                Arguments.of(new IllegalStateException("bug"), StatusCode.UNKNOWN),
                Arguments.of(new StackOverflowError(), StatusCode.UNKNOWN));
    }

    @ParameterizedTest
    @MethodSource("errors")
    void errorsBecomeCodesWhetherThrownOrCompletedWith(Throwable error, StatusCode code) {
        fixture.listening(fixture.builder()
                .method(SERVICE, "throw", (request, deadline) -> {
                    if (error instanceof Error serious) {
                        throw serious;
                    }
                    throw (RuntimeException) error;
                })
                .method(SERVICE, "fail", (request, deadline) -> CompletableFuture.failedFuture(error)));
        TtrpcClient client = fixture.client();

        assertCode(code, () -> client.call(request("throw"), seconds(30)));
        assertCode(code, () -> client.call(request("fail"), seconds(30)));
        assertThat(client.call(request("echo", bytes("on")), seconds(30))).isEqualTo(bytes("on"));
    }

    @Test
    void noAnswerIsAnError() {
        fixture.listening(fixture.builder()
                .method(SERVICE, "null", (request, deadline) -> null)
                .method(SERVICE, "with null", (request, deadline) -> CompletableFuture.completedFuture(null)));
        TtrpcClient client = fixture.client();

        assertCode(StatusCode.INTERNAL, () -> client.call(request("null"), seconds(30)));
        assertCode(StatusCode.INTERNAL, () -> client.call(request("with null"), seconds(30)));
    }

    @Test
    void requestsOfAConnectionAreLimited() {
        fixture.listening(fixture.builder().mostRequests(2));
        TtrpcClient client = fixture.client();
        CompletableFuture<ByteString> first = client.start(request("hang"), seconds(30));
        CompletableFuture<ByteString> second = client.start(request("hang"), seconds(30));

        assertCode(StatusCode.RESOURCE_EXHAUSTED, () -> client.call(request("echo"), seconds(30)));
        assertThat(fixture.client().call(request("echo", bytes("other")), seconds(30)))
                .as("on another connection")
                .isEqualTo(bytes("other"));

        await().until(() -> fixture.hanging.size() == 2);
        fixture.hanging.forEach(answer -> answer.complete(ByteString.EMPTY));
        assertThat(first.join()).isEqualTo(second.join());
        assertThat(client.call(request("echo", bytes("again")), seconds(30))).isEqualTo(bytes("again"));
    }

    @Test
    void executorThatTakesNothingIsUnavailable() {
        fixture.listening();
        TtrpcClient client = fixture.client();
        fixture.executor.shutdown();

        assertCode(StatusCode.UNAVAILABLE, () -> client.call(request("echo"), seconds(30)));
    }

    private static void assertCode(StatusCode code, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        TtrpcException.class, e -> assertThat(e.code()).isEqualTo(code));
    }
}
