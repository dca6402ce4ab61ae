// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.grpc.Status;
import io.virtcontainers.AgentException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse;
import io.virtcontainers.agent.kata.protocol.HealthCheckResponse.ServingStatus;
import io.virtcontainers.agent.kata.protocol.HealthGrpc;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentProvider;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.ServiceLoader;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AgentConnectTest {
    @TempDir
    private Path directory;

    private final KataAgentConnector connector = new KataAgentConnector();

    @AfterEach
    void close() {
        connector.close();
    }

    private Path socket() {
        return directory.resolve("agent.sock");
    }

    private Agent connect() {
        return connector.connect(new GuestChannel.VirtioSerial(socket(), false));
    }

    @Test
    void isFoundUnderItsName() {
        assertThat(ServiceLoader.load(AgentProvider.class))
                .singleElement()
                .satisfies(provider -> assertThat(provider).isInstanceOf(KataAgentProvider.class));
        assertThat(connector.kernelParameters()).isEmpty();
    }

    @Test
    void connectsAndAsksTheAgentAgainAtEachCheck() {
        try (FakeAgentServer server = new FakeAgentServer(socket())) {
            Agent agent = connect();
            agent.awaitReady(Fixture.soon());
            agent.check(Fixture.soon());
            server.refuse(HealthGrpc.getCheckMethod(), Status.INTERNAL);
            assertThatThrownBy(() -> agent.check(Fixture.soon())).isInstanceOf(AgentException.class);
        }
    }

    @Test
    void waitsForTheSocketToAppear() {
        Agent agent = connect();
        assertThatThrownBy(() -> agent.awaitReady(Deadline.after(Duration.ofMillis(200))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("within 200 ms")
                .hasMessageContaining("last failure:");
        try (FakeAgentServer server = new FakeAgentServer(socket())) {
            long begin = System.nanoTime();
            agent.awaitReady(Fixture.soon());
            assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(3));
        }
    }

    @Test
    void saysThatASilentGuestDidNotAnswer() throws Exception {
        try (RawServer server = RawServer.silent(socket())) {
            Agent agent = connect();
            assertThatThrownBy(() -> agent.awaitReady(Deadline.after(Duration.ofMillis(300))))
                    .isInstanceOf(DeadlineExceededException.class)
                    .hasMessageContaining("the agent's first answer")
                    .hasMessageContaining("virtio-serial port " + socket() + " was dialled 1 time in ");
        }
    }

    @Test
    void dialsAgainWhenNothingComes() throws Exception {
        var loops = new io.netty.channel.MultiThreadIoEventLoopGroup(1, io.netty.channel.nio.NioIoHandler.newFactory());
        try {
            AgentConnection connection = Fixture.connection(
                    new VirtioSerialTransport(socket(), false, (io.netty.channel.EventLoop) loops.next()));
            RawServer silent = RawServer.silent(socket());
            connection.start(Duration.ofMillis(300));
            await().until(() -> silent.accepted() == 1);
            silent.stopListening();
            try (FakeAgentServer server = new FakeAgentServer(socket())) {
                connection.awaitReady(Fixture.soon());
            } finally {
                connection.fail(AgentConnection.closed());
                silent.close();
            }
        } finally {
            loops.shutdownGracefully(0, 5, java.util.concurrent.TimeUnit.SECONDS)
                    .awaitUninterruptibly();
        }
    }

    @Test
    void givesUpOnWhatIsNotHttp2() throws Exception {
        try (RawServer server = RawServer.sending(socket(), "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")) {
            Agent agent = connect();
            assertThatThrownBy(() -> agent.awaitReady(Fixture.soon()))
                    .isInstanceOf(AgentException.class)
                    .hasMessageContaining("is not a Kata agent");
            assertThat(server.accepted()).isBetween(2, 10);
        }
    }

    @Test
    void doesNotReadTheRestOfAnEarlierConnection() {
        byte[] farewell = {0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        byte[] settings = {0, 0, 0, 4, 0, 0, 0, 0, 0};
        byte[] otherGreeting = (Greeting.MAGIC + "0123456789abcdef").getBytes(StandardCharsets.US_ASCII);
        byte[] large = new byte[1 << 20];
        Arrays.fill(large, (byte) 'v');
        try (FakeAgentServer server = new FakeAgentServer(socket())) {
            for (byte[] rest : List.of(farewell, settings, otherGreeting, large, new byte[] {'v', 'i'})) {
                server.leaveBehind(rest);
                Agent agent = connect();
                long begin = System.nanoTime();
                agent.awaitReady(Fixture.soon());
                assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(5));
                agent.close();
            }
        }
    }

    @Test
    void keepsTryingWhenTheConnectionIsClosedAtOnce() throws Exception {
        RawServer closing = RawServer.closing(socket());
        try {
            Agent agent = connect();
            await().until(() -> closing.accepted() >= 8);
            closing.stopListening();
            try (FakeAgentServer server = new FakeAgentServer(socket())) {
                agent.awaitReady(Fixture.soon());
            }
        } finally {
            closing.close();
        }
    }

    @Test
    void waitsUntilTheAgentSaysThatItServes() {
        AtomicInteger checks = new AtomicInteger();
        try (FakeAgentServer server = new FakeAgentServer(socket())) {
            server.on(HealthGrpc.getCheckMethod(), (request, observer) -> {
                ServingStatus status = checks.incrementAndGet() < 3 ? ServingStatus.NOT_SERVING : ServingStatus.SERVING;
                observer.onNext(
                        HealthCheckResponse.newBuilder().setStatus(status).build());
                observer.onCompleted();
            });
            connect().awaitReady(Fixture.soon());
            assertThat(checks).hasValue(3);
        }
    }

    @Test
    void anAbortEndsTheWait() throws Exception {
        try (RawServer server = RawServer.silent(socket())) {
            Agent agent = connect();
            CompletableFuture<Void> waiting = CompletableFuture.runAsync(() -> agent.awaitReady(Fixture.soon()));
            await().until(() -> server.accepted() == 1);
            VmDiedException reason = new VmDiedException("QEMU was killed");
            long begin = System.nanoTime();
            agent.abort(reason);
            assertThatThrownBy(waiting::join).hasCause(reason);
            assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofMillis(500));
            assertThatThrownBy(() -> agent.awaitReady(Fixture.soon())).isSameAs(reason);
        }
    }

    @Test
    void anInterruptEndsTheWait() throws Exception {
        try (RawServer server = RawServer.silent(socket())) {
            Agent agent = connect();
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> agent.awaitReady(Fixture.soon())).isInstanceOf(CancelledException.class);
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void refusesAPathThatIsTooLongForASocket() {
        Agent agent = connector.connect(new GuestChannel.VirtioSerial(directory.resolve("x".repeat(108)), false));
        assertThatThrownBy(() -> agent.awaitReady(Fixture.soon()))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("107 bytes");
    }

    @Test
    void leavesNoThreadAndNoFileDescriptor() throws Exception {
        try (FakeAgentServer server = new FakeAgentServer(socket())) {
            long before = openSockets();
            KataAgentConnector own = new KataAgentConnector();
            for (int i = 0; i < 5; i++) {
                Agent agent = own.connect(new GuestChannel.VirtioSerial(socket(), false));
                agent.awaitReady(Fixture.soon());
                if (i != 0) {
                    agent.close(); // the first is left to the connector
                }
            }
            Agent waiting = own.connect(new GuestChannel.VirtioSerial(directory.resolve("missing.sock"), false));
            own.close();
            assertThatThrownBy(() -> waiting.awaitReady(Fixture.soon())).hasMessageContaining("was closed");
            assertThatThrownBy(() -> own.connect(new GuestChannel.VirtioSerial(socket(), false))
                            .awaitReady(Fixture.soon()))
                    .hasMessageContaining("connector of the agent is closed");
            await().until(() -> openSockets() <= before);
        }
        connector.close();
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(Thread.getAllStackTraces().keySet())
                        .extracting(Thread::getName)
                        .noneMatch(name -> name.startsWith("agent-") || name.startsWith("grpc-")));
    }

    private static long openSockets() throws Exception {
        try (var files = Files.list(Path.of("/proc/self/fd"))) {
            return files.filter(fd -> {
                        try {
                            return Files.readSymbolicLink(fd).toString().startsWith("socket:");
                        } catch (java.io.IOException e) {
                            return false; // closed meanwhile
                        }
                    })
                    .count();
        }
    }
}
