// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.VSockAddress;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.virtcontainers.AgentException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.CheckRequest;
import io.virtcontainers.agent.kata.protocol.HealthGrpc;
import io.virtcontainers.agent.kata.protocol.ReadStreamRequest;
import io.virtcontainers.agent.kata.protocol.ReadStreamResponse;
import io.virtcontainers.agent.kata.protocol.WriteStreamRequest;
import io.virtcontainers.agent.kata.protocol.WriteStreamResponse;
import io.virtcontainers.agent.kata.yamux.YamuxServer;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import java.io.IOException;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Each transport brings gRPC to the agent, with a server of our own that is written from its specification. */
class TransportsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(7);

    @TempDir
    private Path directory;

    private final EventLoops loops = new EventLoops();

    @AfterEach
    void close() {
        loops.close();
    }

    private enum Kind {
        VIRTIO_SERIAL,
        YAMUX,
        HYBRID,
        /** All of vsock but the socket's family. */
        EPOLL
    }

    private Path socket() {
        return directory.resolve("agent.sock");
    }

    private Transport transport(Kind kind) {
        return switch (kind) {
            case VIRTIO_SERIAL -> new VirtioSerialTransport(socket(), false, loops.nio());
            case YAMUX -> new VirtioSerialTransport(socket(), true, loops.nio());
            case HYBRID -> new HybridVsockTransport(socket(), GuestChannel.AGENT_PORT, loops.nio());
            case EPOLL -> new EpollTransport(socket(), loops.epoll());
        };
    }

    private record EpollTransport(Path socket, EventLoop loop) implements Transport {
        @Override
        public SocketAddress address() {
            return new DomainSocketAddress(socket.toFile());
        }

        @Override
        public Channel newSocket() {
            return new EpollDomainSocketChannel();
        }
    }

    private FakeAgentServer server(Kind kind) {
        return switch (kind) {
            case VIRTIO_SERIAL -> new FakeAgentServer(socket());
            case YAMUX -> new FakeAgentServer(socket(), YamuxServer::new);
            case HYBRID -> new FakeAgentServer(socket(), rest -> new HybridReply());
            case EPOLL -> new FakeAgentServer(socket(), rest -> new ChannelInboundHandlerAdapter());
        };
    }

    private AgentConnection connect(Kind kind) {
        AgentConnection connection = Fixture.connection(transport(kind));
        connection.start(PATIENCE);
        connection.awaitReady(Fixture.soon());
        return connection;
    }

    private static void check(AgentConnection connection) {
        var method = HealthGrpc.getCheckMethod();
        var unused = connection.call(method, CheckRequest.getDefaultInstance(), Rpc.of(method, ""), Fixture.soon());
    }

    private static void close(AgentConnection connection) {
        connection.fail(AgentConnection.closed());
        connection.awaitClosed(Duration.ofSeconds(10));
    }

    @ParameterizedTest
    @EnumSource
    void connectsAndIsReconnectedAfterEachLoss(Kind kind) {
        try (FakeAgentServer server = server(kind)) {
            AgentConnection connection = connect(kind);
            for (int i = 0; i < 10; i++) {
                check(connection);
                server.drop();
                server.restart();
                await().until(() -> answers(connection));
            }
            close(connection);
        }
    }

    /** A call may be the one that learns of the loss. */
    private static boolean answers(AgentConnection connection) {
        try {
            check(connection);
            return true;
        } catch (AgentException lost) {
            return false;
        }
    }

    @ParameterizedTest
    @EnumSource
    void carriesMuchInBothDirectionsAtOnceUnchanged(Kind kind) {
        byte[] large = new byte[900_000];
        new Random(5).nextBytes(large);
        ByteString data = ByteString.copyFrom(large);
        try (FakeAgentServer server = server(kind)) {
            AtomicInteger equal = new AtomicInteger();
            server.on(AgentServiceGrpc.getWriteStdinMethod(), (request, observer) -> {
                if (request.getData().equals(data)) {
                    equal.incrementAndGet();
                }
                observer.onNext(WriteStreamResponse.newBuilder().setLen(1).build());
                observer.onCompleted();
            });
            server.answer(
                    AgentServiceGrpc.getReadStdoutMethod(),
                    ReadStreamResponse.newBuilder().setData(data).build());
            AgentConnection connection = connect(kind);
            CompletableFuture<?>[] calls = new CompletableFuture<?>[20];
            for (int i = 0; i < calls.length; i += 2) {
                calls[i] = connection.open(
                        AgentServiceGrpc.getWriteStdinMethod(),
                        WriteStreamRequest.newBuilder().setData(data).build());
                calls[i + 1] = connection
                        .open(AgentServiceGrpc.getReadStdoutMethod(), ReadStreamRequest.getDefaultInstance())
                        .thenAccept(answer -> {
                            if (answer.getData().equals(data)) {
                                equal.incrementAndGet();
                            }
                        });
            }
            Void unused = Fixture.soon().await(CompletableFuture.allOf(calls), "all calls");
            assertThat(equal).hasValue(calls.length);
            close(connection);
        }
    }

    @Test
    void aYamuxSessionThatHasMoreToSayToAnEarlierClientIsJoined() {
        byte[] rest = {0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2, 'h', 'i', 0, 1, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0};
        try (FakeAgentServer server = server(Kind.YAMUX)) {
            server.leaveBehind(rest);
            int pings = YamuxServer.PINGS.get();
            int pongs = YamuxServer.PONGS.get();
            AgentConnection connection = connect(Kind.YAMUX);
            check(connection);
            assertThat(YamuxServer.PINGS.get()).isGreaterThan(pings);
            assertThat(YamuxServer.PONGS.get()).isGreaterThan(pongs);
            close(connection);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"YAMUX", "HYBRID"})
    void givesUpOnWhatSpeaksSomethingElse(Kind kind) throws Exception {
        try (RawServer server = RawServer.talking(socket(), "SSH-2.0-OpenSSH_9.2p1 Debian-2".repeat(100))) {
            AgentConnection connection = Fixture.connection(transport(kind));
            connection.start(PATIENCE);
            assertThatThrownBy(() -> connection.awaitReady(Fixture.soon()))
                    .isInstanceOf(AgentException.class)
                    .hasMessageContaining("is not a Kata agent")
                    .hasMessageContaining(transport(kind).toString())
                    .hasMessageContaining(kind == Kind.YAMUX ? "yamux version 0" : "longer than 64 bytes");
            assertThat(server.accepted()).isBetween(2, 10);
            close(connection);
        }
    }

    @Test
    void aHybridSocketThatRefusesIsAskedAgainUntilTheDeadline() throws Exception {
        try (RawServer server = RawServer.closing(socket())) {
            AgentConnection connection = Fixture.connection(transport(Kind.HYBRID));
            connection.start(PATIENCE);
            assertThatThrownBy(() -> connection.awaitReady(Deadline.after(Duration.ofMillis(700))))
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining("hybrid vsock " + socket() + " port 1024 was dialled ")
                    .hasMessageContaining("nothing listens on port 1024 in the guest");
            assertThat(server.accepted()).isBetween(3, 30);
            close(connection);
        }
    }

    /** As the lab showed them: no such guest, a guest without a driver, a guest without an agent. */
    @ParameterizedTest
    @org.junit.jupiter.params.provider.ValueSource(
            strings = {"No such device", "Connection timed out", "Connection reset by peer"})
    void anErrorOfTheSocketIsTriedAgainUntilTheDeadlineAndTold(String error) {
        AtomicInteger dials = new AtomicInteger();
        Transport failing = new Failing(loops.nio(), dials, new IOException("connect(..) failed: " + error));
        AgentConnection connection = Fixture.connection(failing);
        connection.start(PATIENCE);
        assertThatThrownBy(() -> connection.awaitReady(Deadline.after(Duration.ofMillis(700))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("vsock 4294967294:1024 was dialled ")
                .hasMessageContaining(" times in ")
                .hasMessageContaining("last failure: ")
                .hasMessageContaining(error);
        assertThat(dials.get()).isBetween(3, 30);
        close(connection);
    }

    private record Failing(EventLoop loop, AtomicInteger dials, IOException error) implements Transport {
        @Override
        public SocketAddress address() {
            return new VSockAddress(-2, 1024);
        }

        @Override
        public Channel newSocket() {
            dials.incrementAndGet();
            Channel channel = new NioDomainSocketChannel();
            channel.pipeline().addLast(new ChannelOutboundHandlerAdapter() {
                @Override
                public void connect(
                        ChannelHandlerContext context, SocketAddress to, SocketAddress from, ChannelPromise promise) {
                    promise.setFailure(error);
                    var unused = context.close();
                }
            });
            return channel;
        }

        @Override
        public String toString() {
            return new GuestChannel.Vsock(-2, 1024).toString();
        }
    }

    @Test
    void aVsockTransportKnowsItsAddressAndLoadsNothingNative() {
        Transport vsock = new VsockTransport(new GuestChannel.Vsock(-2, 1024), loops.nio());
        assertThat(vsock.address()).isEqualTo(new VSockAddress(-2, 1024));
        assertThat(vsock).hasToString("vsock 4294967294:1024");
    }
}
