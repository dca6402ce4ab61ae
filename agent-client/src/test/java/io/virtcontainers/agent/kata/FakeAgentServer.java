// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Empty;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse.ServingStatus;
import io.virtcontainers.agent.kata.protocol.HealthGrpc;
import io.virtcontainers.agent.kata.protocol.VersionCheckResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** An agent that does what a test tells it: gRPC over a unix socket, answers scripted by method. */
final class FakeAgentServer implements AutoCloseable {
    static final String VERSION = "1.13.0-fake";

    private final Path socket;
    private final Map<String, BiConsumer<Object, StreamObserver<Object>>> script = new ConcurrentHashMap<>();
    private final CallCounts counts = new CallCounts();
    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(
            1, new DefaultThreadFactory("fake-agent-io", true), NioIoHandler.newFactory());
    private final ExecutorService handlers =
            Executors.newCachedThreadPool(new DefaultThreadFactory("fake-agent", true));
    private final Queue<Channel> connections = new ConcurrentLinkedQueue<>();
    private final Function<byte[], ChannelHandler> front;
    private volatile byte[] rest = {};
    private Server server;

    FakeAgentServer(Path socket) {
        this(socket, GreetingReply::new);
    }

    /** @param front the agent's side of a transport, with what an earlier connection left behind */
    FakeAgentServer(Path socket, Function<byte[], ChannelHandler> front) {
        this.socket = socket;
        this.front = front;
        answer(
                HealthGrpc.getCheckMethod(),
                HealthCheckResponse.newBuilder()
                        .setStatus(ServingStatus.SERVING)
                        .build());
        answer(
                HealthGrpc.getVersionMethod(),
                VersionCheckResponse.newBuilder()
                        .setGrpcVersion("0.0.1")
                        .setAgentVersion(VERSION)
                        .build());
        server = listen();
    }

    private Server listen() {
        try {
            Files.deleteIfExists(socket);
            return NettyServerBuilder.forAddress(UnixDomainSocketAddress.of(socket))
                    .channelFactory(this::listener)
                    .bossEventLoopGroup(loops)
                    .workerEventLoopGroup(loops)
                    .executor(handlers)
                    .addStreamTracerFactory(counts)
                    .addService(service(AgentServiceGrpc.getServiceDescriptor()))
                    .addService(service(HealthGrpc.getServiceDescriptor()))
                    .build()
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** gRPC's server cannot cut a connection without a farewell, so the sockets are noted here. */
    private ServerChannel listener() {
        NioServerDomainSocketChannel listener = new NioServerDomainSocketChannel();
        listener.pipeline().addLast(new ChannelInboundHandlerAdapter() {
            @Override
            public void channelRead(ChannelHandlerContext context, Object accepted) {
                Channel connection = (Channel) accepted;
                connections.add(connection);
                connection.pipeline().addFirst(front.apply(rest));
                context.fireChannelRead(accepted);
            }
        });
        return listener;
    }

    private ServerServiceDefinition service(io.grpc.ServiceDescriptor descriptor) {
        ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(descriptor.getName());
        descriptor.getMethods().forEach(method -> addMethod(service, method));
        return service.build();
    }

    @SuppressWarnings("unchecked") // the script is typed where it is written, in on()
    private void addMethod(ServerServiceDefinition.Builder service, MethodDescriptor<?, ?> method) {
        MethodDescriptor<Object, Object> untyped = (MethodDescriptor<Object, Object>) method;
        service.addMethod(
                untyped.toBuilder(untyped.getRequestMarshaller(), new RawOrTyped(untyped.getResponseMarshaller()))
                        .build(),
                ServerCalls.asyncUnaryCall((request, observer) -> script.getOrDefault(
                                method.getFullMethodName(),
                                (q, o) -> o.onError(Status.UNIMPLEMENTED
                                        .withDescription("unknown method")
                                        .asRuntimeException()))
                        .accept(request, observer)));
    }

    /** Handlers may block. */
    @SuppressWarnings("unchecked") // gRPC hands each method its own types
    <Q, R> void on(MethodDescriptor<Q, R> method, BiConsumer<Q, StreamObserver<R>> handler) {
        script.put(method.getFullMethodName(), (BiConsumer<Object, StreamObserver<Object>>) (BiConsumer<?, ?>) handler);
    }

    <Q, R> void answer(MethodDescriptor<Q, R> method, R answer) {
        on(method, (request, observer) -> {
            observer.onNext(answer);
            observer.onCompleted();
        });
    }

    <Q> void answerEmpty(MethodDescriptor<Q, Empty> method) {
        answer(method, Empty.getDefaultInstance());
    }

    <Q, R> void refuse(MethodDescriptor<Q, R> method, Status status) {
        on(method, (request, observer) -> observer.onError(status.asRuntimeException()));
    }

    <Q, R> void refuse(MethodDescriptor<Q, R> method, Status status, String reason) {
        Metadata trailers = new Metadata();
        trailers.put(AgentErrors.REASON, reason);
        on(method, (request, observer) -> observer.onError(status.asRuntimeException(trailers)));
    }

    /** Answers with these bytes in place of a message. */
    @SuppressWarnings("unchecked") // the marshaller of the answers knows them
    <Q, R> void answerRaw(MethodDescriptor<Q, R> method, byte[] bytes) {
        on((MethodDescriptor<Q, Object>) method, (request, observer) -> {
            observer.onNext(bytes);
            observer.onCompleted();
        });
    }

    /** Answers, and keeps the last request. */
    <Q, R> AtomicReference<Q> record(MethodDescriptor<Q, R> method, R answer) {
        AtomicReference<Q> seen = new AtomicReference<>();
        on(method, (request, observer) -> {
            seen.set(request);
            observer.onNext(answer);
            observer.onCompleted();
        });
        return seen;
    }

    /** Takes the requests and does not answer. */
    <Q, R> Hung hang(MethodDescriptor<Q, R> method) {
        Semaphore arrived = new Semaphore(0);
        on(method, (request, observer) -> arrived.release());
        return new Hung(arrived, counts, method.getFullMethodName());
    }

    record Hung(Semaphore arrived, CallCounts counts, String method) {
        void awaitArrival() throws InterruptedException {
            assertThat(arrived.tryAcquire(10, TimeUnit.SECONDS))
                    .as("the call arrives")
                    .isTrue();
        }

        /** A call whose cancellation comes right behind it may never have reached its handler. */
        void awaitCancellation() {
            await().until(() -> counts.open(method) == 0);
        }

        int all() {
            return counts.all(method);
        }
    }

    /** Takes the request and never answers. */
    <Q, R> void ignore(MethodDescriptor<Q, R> method) {
        on(method, (request, observer) -> {});
    }

    /** Each further connection begins with these bytes of an earlier one. */
    void leaveBehind(byte[] bytes) {
        rest = bytes.clone();
    }

    /** Cuts all connections, as a hypervisor does that dies; the socket refuses until {@link #restart}. */
    void drop() {
        try {
            for (Channel c = connections.poll(); c != null; c = connections.poll()) {
                Channel connection = c;
                connection
                        .eventLoop()
                        .submit(() ->
                                connection.unsafe().close(connection.unsafe().voidPromise()))
                        .sync();
            }
            server.shutdownNow();
            if (!server.awaitTermination(10, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the fake agent does not stop");
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    void restart() {
        server = listen();
    }

    @Override
    public void close() {
        drop();
        loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
        handlers.shutdownNow();
    }
}
