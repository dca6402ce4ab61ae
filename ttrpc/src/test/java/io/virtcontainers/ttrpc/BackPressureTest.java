// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.ttrpc;

import static io.virtcontainers.ttrpc.Fixture.SERVICE;
import static io.virtcontainers.ttrpc.Fixture.bytes;
import static io.virtcontainers.ttrpc.Fixture.request;
import static io.virtcontainers.ttrpc.Fixture.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.virtcontainers.spi.Deadline;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

@Timeout(60)
class BackPressureTest {
    private static final ByteString LARGE = ByteString.copyFrom(new byte[1 << 20]);

    @RegisterExtension
    private final Fixture fixture = new Fixture();

    @Test
    void clientThatReadsNothingIsNotReadFrom() throws Exception {
        AtomicInteger begun = new AtomicInteger();
        CompletableFuture<Channel> accepted = new CompletableFuture<>();
        int requests = 100;
        try (TtrpcServer server = fixture.builder()
                .method(SERVICE, "count", (request, deadline) -> {
                    begun.incrementAndGet();
                    return CompletableFuture.completedFuture(request.payload());
                })
                .build()) {
            Channel listening = new ServerBootstrap()
                    .group(fixture.loops)
                    .channelFactory(NioServerDomainSocketChannel::new)
                    .childHandler(new ChannelInitializer<>() {
                        @Override
                        protected void initChannel(Channel channel) {
                            server.serve(channel);
                            accepted.complete(channel);
                        }
                    })
                    .bind(UnixDomainSocketAddress.of(fixture.socket))
                    .sync()
                    .channel();
            try (RawPeer client = RawPeer.connect(fixture.socket)) {
                Future<?> writing = fixture.executor.submit(() -> {
                    for (int i = 0; i < requests; i++) {
                        client.request(1 + 2 * i, SERVICE, "count", LARGE, 0);
                    }
                    return null;
                });
                Channel served = accepted.join();
                await().until(() -> !served.config().isAutoRead());
                assertThat(begun.get()).isBetween(1, 20);
                assertThat(writing.isDone()).isFalse();

                for (int i = 0; i < requests; i++) {
                    Frame frame = client.read();
                    assertThat(ResponseMessage.parse(frame.data()).payload()).isEqualTo(LARGE);
                }
                writing.get();
            }
            listening.close().sync();
        }
        assertThat(begun).hasValue(requests);
    }

    @Test
    void callsThatTheServerDoesNotReadWaitAndAreForgottenAtTheirDeadline() throws Exception {
        try (ServerSocketChannel listening = RawPeer.listen(fixture.socket)) {
            Channel channel = new Bootstrap()
                    .group(fixture.loops)
                    .channelFactory(NioDomainSocketChannel::new)
                    .handler(new ChannelInboundHandlerAdapter())
                    .connect(UnixDomainSocketAddress.of(fixture.socket))
                    .sync()
                    .channel();
            try (TtrpcClient client = TtrpcClient.on(channel);
                    RawPeer server = RawPeer.accept(listening)) {
                List<CompletableFuture<ByteString>> late = new ArrayList<>();
                for (int i = 0; i < 50; i++) {
                    late.add(client.start(request("large", LARGE), Deadline.after(Duration.ofMillis(300))));
                }
                assertThat(late)
                        .allSatisfy(call -> assertThat(call)
                                .failsWithin(Duration.ofSeconds(10))
                                .withThrowableThat()
                                .havingCause()
                                .isInstanceOf(TtrpcException.class));
                assertThat(channel.bytesBeforeWritable())
                        .as("bytes that wait in the channel")
                        .isLessThan(2 << 20);
                ClientHandler handler = channel.pipeline().get(ClientHandler.class);
                await().until(() -> channel.eventLoop().submit(handler::calls).get() == 0);

                CompletableFuture<ByteString> next = client.start(request("small"), seconds(30));
                TtrpcRequest request = request("none");
                int frames = 0;
                while (!request.method().equals("small")) {
                    Frame frame = server.read();
                    frames++;
                    request = RequestMessage.parse(frame.data()).request();
                    server.response(frame.streamId(), bytes("answer to " + request.method()));
                }
                assertThat(frames).as("requests that were sent").isLessThan(5);
                assertThat(next.join()).isEqualTo(bytes("answer to small"));
            }
        }
    }
}
