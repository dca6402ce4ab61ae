// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoop;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The QEMU Machine Protocol (docs/interop/qmp-spec of QEMU) over one connection: commands are matched to answers by id,
 * so any number may be under way; events go to one listener, in order. All state lives on the event loop; the methods
 * are thread-safe.
 *
 * <p>A connection that ends, or breaks the protocol, fails once and for all: with it everything under way and everything
 * sent later, each with the same reason. A line of more than 1 MiB breaks the protocol.
 */
final class QmpClient {
    static final int MAX_LINE_BYTES = 1 << 20;

    private static final Logger log = LoggerFactory.getLogger(QmpClient.class);
    private static final int SHOWN_CHARACTERS = 200;
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final EventLoop loop;
    private final Consumer<JsonNode> events;
    private final CompletableFuture<Void> ready = new CompletableFuture<>();

    // The rest only on the event loop.
    private final Map<Long, Call> calls = new HashMap<>();
    private long lastId;
    private @Nullable Channel channel;
    private @Nullable String failure;
    private final CompletableFuture<Void> ended = new CompletableFuture<>();

    /** @param events gets every event, on the event loop */
    QmpClient(EventLoop loop, Consumer<JsonNode> events) {
        this.loop = loop;
        this.events = events;
    }

    /** Takes over a new connection; on the event loop, once. */
    void attach(Channel newChannel) {
        channel = newChannel;
        // QEMU ends each message with CR LF and has none inside.
        newChannel.pipeline().addLast(new LineBasedFrameDecoder(MAX_LINE_BYTES, true, true), new Handler());
    }

    /** Completes when QEMU has greeted and takes commands. */
    CompletableFuture<Void> ready() {
        return ready;
    }

    /** Sends a command; the future gets QEMU's answer or a {@link HypervisorException}. */
    CompletableFuture<JsonNode> send(String command, Map<String, ?> arguments) {
        Call call = new Call(command);
        post(call, () -> write(call, arguments));
        return call.answer;
    }

    /**
     * Sends a command and waits for its answer.
     *
     * @throws QmpException if QEMU refuses the command
     * @throws HypervisorException if the connection has failed
     */
    JsonNode execute(String command, Map<String, ?> arguments, Deadline deadline) {
        Call call = new Call(command);
        post(call, () -> write(call, arguments));
        try {
            return deadline.await(call.answer, "QEMU's answer to " + command);
        } catch (DeadlineExceededException | CancelledException e) {
            post(call, () -> calls.values().remove(call));
            throw e;
        }
    }

    private void post(Call call, Runnable task) {
        try {
            loop.execute(task);
        } catch (RejectedExecutionException e) {
            call.answer.completeExceptionally(connectionFailed(call.command, "the hypervisor is closed"));
        }
    }

    private void write(Call call, Map<String, ?> arguments) {
        if (failure != null || channel == null) {
            String reason = failure == null ? "not connected yet" : failure;
            call.answer.completeExceptionally(connectionFailed(call.command, reason));
            return;
        }
        long id = ++lastId;
        ObjectNode message =
                JSON.createObjectNode().put("execute", call.command).put("id", id);
        message.set("arguments", JSON.valueToTree(arguments));
        calls.put(id, call);
        log.trace("qmp send={}", message);
        channel.writeAndFlush(Unpooled.wrappedBuffer((message + "\n").getBytes(StandardCharsets.UTF_8)))
                .addListener(written -> {
                    if (!written.isSuccess()) {
                        fail("QEMU closed it: " + written.cause().getMessage());
                    }
                });
    }

    private void receive(byte[] line) {
        if (line.length == 0) {
            return;
        }
        JsonNode message;
        try {
            message = JSON.readTree(line);
        } catch (JsonProcessingException e) {
            fail("not JSON: " + e.getOriginalMessage());
            return;
        } catch (IOException e) {
            fail("not JSON: " + e);
            return;
        }
        log.trace("qmp received={}", message);
        if (message.has("QMP")) {
            negotiate();
        } else if (message.path("event").isTextual()) {
            notifyListener(message);
        } else if (message.has("return") || message.path("error").isObject()) {
            answer(message);
        } else {
            fail("neither an answer nor an event: " + shown(message));
        }
    }

    private void negotiate() {
        var unused = send("qmp_capabilities", Map.of()).whenComplete((answer, error) -> {
            if (error == null) {
                ready.complete(null);
            } else {
                fail(String.valueOf(error.getMessage()));
            }
        });
    }

    private void answer(JsonNode message) {
        JsonNode id = message.path("id");
        if (!id.isIntegralNumber()) {
            fail("an answer without id: " + shown(message));
            return;
        }
        Call call = calls.remove(id.longValue());
        if (call == null) {
            log.debug("qmp answer to a command that nobody waits for any more id={}", id);
        } else if (message.has("return")) {
            call.answer.complete(message.get("return"));
        } else {
            JsonNode error = message.get("error");
            call.answer.completeExceptionally(new QmpException(
                    call.command,
                    error.path("class").asText("unknown class"),
                    error.path("desc").asText("no description")));
        }
    }

    private void notifyListener(JsonNode event) {
        try {
            events.accept(event);
        } catch (RuntimeException e) {
            log.warn("qmp event listener failed event={}", shown(event), e);
        }
    }

    /** Fails when the connection does: for who waits for an event. */
    CompletableFuture<Void> ended() {
        return ended;
    }

    private void fail(String reason) {
        if (failure != null) {
            return;
        }
        failure = reason;
        List<Call> lost = List.copyOf(calls.values());
        calls.clear();
        lost.forEach(call -> call.answer.completeExceptionally(connectionFailed(call.command, reason)));
        ready.completeExceptionally(connectionFailed("the greeting", reason));
        ended.completeExceptionally(connectionFailed("what was waited for", reason));
        if (channel != null) {
            var unused = channel.close();
        }
    }

    private static HypervisorException connectionFailed(String command, String reason) {
        return new HypervisorException("no answer to " + command + ", the QMP connection has failed: " + reason);
    }

    static String shown(JsonNode message) {
        String text = message.toString();
        return text.length() <= SHOWN_CHARACTERS ? text : text.substring(0, SHOWN_CHARACTERS) + "...";
    }

    private static final class Call {
        final String command;
        final CompletableFuture<JsonNode> answer = new CompletableFuture<>();

        Call(String command) {
            this.command = command;
        }
    }

    private final class Handler extends SimpleChannelInboundHandler<ByteBuf> {
        @Override
        protected void channelRead0(ChannelHandlerContext context, ByteBuf line) {
            if (failure == null) {
                receive(ByteBufUtil.getBytes(line));
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            fail("QEMU closed it");
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            // A reset: QEMU has closed it without reading all that was sent.
            fail((cause instanceof IOException ? "QEMU closed it: " : "") + cause.getMessage());
        }
    }
}
