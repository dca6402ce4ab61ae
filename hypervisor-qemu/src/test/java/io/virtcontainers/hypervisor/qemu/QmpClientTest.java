// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static io.virtcontainers.hypervisor.qemu.TestGuest.seconds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.HypervisorException;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QmpClientTest {
    @TempDir
    Path directory;

    private FakeQemu qemu;

    @BeforeEach
    void connect() throws IOException {
        qemu = new FakeQemu(directory);
    }

    @AfterEach
    void close() throws IOException {
        qemu.close();
    }

    private void assertBroken(String reason) {
        assertThat(qemu.listener.closed()).succeedsWithin(5, TimeUnit.SECONDS);
        assertThatThrownBy(() -> qemu.client.execute("query-status", Map.of(), seconds(5)))
                .isInstanceOf(HypervisorException.class)
                .hasMessageContaining("query-status")
                .hasMessageContaining(reason);
    }

    @Test
    void answersReachTheirCommandsInAnyOrder() throws IOException {
        qemu.negotiate();
        CompletableFuture<JsonNode> first = qemu.client.send("first", Map.of("a", 1));
        CompletableFuture<JsonNode> second = qemu.client.send("second", Map.of());
        JsonNode firstCommand = qemu.next();
        JsonNode secondCommand = qemu.next();
        assertThat(firstCommand.at("/arguments/a").asInt()).isEqualTo(1);
        qemu.answer(secondCommand, "\"two\"");
        assertThat(second).succeedsWithin(5, TimeUnit.SECONDS).hasToString("\"two\"");
        assertThat(first).isNotDone();
        qemu.answer(firstCommand, "\"one\"");
        assertThat(first).succeedsWithin(5, TimeUnit.SECONDS).hasToString("\"one\"");
    }

    @Test
    void anErrorHasItsClassAndDescription() throws IOException {
        qemu.negotiate();
        CompletableFuture<JsonNode> answer = qemu.client.send("device_del", Map.of("id", "x"));
        qemu.send("{\"id\": " + qemu.next().get("id")
                + ", \"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"Device 'x' not found\"}}");
        assertThatThrownBy(() -> seconds(5).await(answer, "it")).isInstanceOfSatisfying(QmpException.class, e -> {
            assertThat(e.errorClass()).isEqualTo("DeviceNotFound");
            assertThat(e.description()).isEqualTo("Device 'x' not found");
            assertThat(e).hasMessageContaining("device_del");
        });
    }

    @Test
    void eventsReachTheListenerInOrderAlsoBeforeTheGreeting() throws IOException {
        qemu.send("{\"event\": \"EARLY\"}");
        qemu.negotiate();
        qemu.send("{\"event\": \"LATE\", \"data\": {\"x\": 1}}");
        await().atMost(Duration.ofSeconds(5)).until(() -> qemu.events.size() == 2);
        assertThat(qemu.events).extracting(event -> event.get("event").asText()).containsExactly("EARLY", "LATE");
    }

    @Test
    void aCommandThatIsNotAnsweredEndsWithItsDeadlineAndItsLateAnswerIsIgnored() throws IOException {
        qemu.negotiate();
        assertThatThrownBy(() -> qemu.client.execute("slow", Map.of(), Deadline.after(Duration.ofMillis(20))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("slow");
        qemu.answer(qemu.next(), "{}");
        CompletableFuture<JsonNode> next = qemu.client.send("next", Map.of());
        qemu.answer(qemu.next(), "2");
        assertThat(next).succeedsWithin(5, TimeUnit.SECONDS).hasToString("2");
    }

    @Test
    void theEndOfTheConnectionFailsEverythingUnderWay() throws IOException {
        qemu.negotiate();
        CompletableFuture<JsonNode> one = qemu.client.send("one", Map.of());
        CompletableFuture<JsonNode> two = qemu.client.send("two", Map.of());
        qemu.hangUp();
        assertThat(one).failsWithin(5, TimeUnit.SECONDS).withThrowableThat().withMessageContaining("answer to one");
        assertThat(two).failsWithin(5, TimeUnit.SECONDS).withThrowableThat().withMessageContaining("answer to two");
        assertBroken("QEMU closed it");
    }

    @Test
    void theEndBeforeTheGreetingFailsTheReadiness() throws IOException {
        qemu.hangUp();
        assertThat(qemu.client.ready())
                .failsWithin(5, TimeUnit.SECONDS)
                .withThrowableThat()
                .withMessageContaining("greeting");
    }

    @Test
    void garbageBreaksTheConnection() throws IOException {
        qemu.negotiate();
        qemu.send("this is not JSON");
        assertBroken("not JSON");
    }

    @Test
    void anUnknownKindOfMessageBreaksTheConnection() throws IOException {
        qemu.negotiate();
        qemu.send("[1, 2]");
        assertBroken("neither an answer nor an event");
    }

    @Test
    void anEndlessLineBreaksTheConnection() throws IOException {
        qemu.negotiate();
        byte[] piece = "x".repeat(64 << 10).getBytes(StandardCharsets.UTF_8);
        try {
            for (int i = 0; i < 64; i++) {
                qemu.sendRaw(piece);
            }
        } catch (IOException closedMeanwhile) {
            // Which one depends on whether the client had read everything when it closed.
            assertThat(closedMeanwhile.getMessage()).isIn("Broken pipe", "Connection reset by peer");
        }
        assertBroken("frame length");
    }

    @Test
    void deepNestingBreaksTheConnectionAndNothingElse() throws IOException {
        qemu.negotiate();
        qemu.send("[".repeat(500_000));
        assertBroken("not JSON");
    }

    @Test
    void aSecondConnectionIsNotTaken() throws IOException {
        qemu.negotiate();
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(directory.resolve("qmp.sock"));
        try (SocketChannel second = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            assertThatThrownBy(() -> second.connect(address)).isInstanceOf(IOException.class);
        }
    }

    @Test
    void randomAndMutatedMessagesNeitherHangNorEscape() throws IOException {
        Random random = new Random(20240);
        String[] seeds = {
            "{\"QMP\": {\"version\": {}}}",
            "{\"return\": {}, \"id\": 1}",
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"d\"}, \"id\": 2}",
            "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"disk1\", \"path\": \"/machine\"}}",
            "{\"return\": 1e999999, \"id\": 99999999999999999999999}"
        };
        for (int round = 0; round < 150; round++) {
            try (FakeQemu victim = new FakeQemu(Files.createDirectory(directory.resolve("round" + round)))) {
                CompletableFuture<JsonNode> pending = victim.client.send("before", Map.of());
                try {
                    for (int i = 0; i < 20; i++) {
                        victim.sendRaw(mutate(seeds[random.nextInt(seeds.length)], random));
                    }
                } catch (IOException closedMeanwhile) {
                    // Which one depends on whether the client had read everything when it closed.
                    assertThat(closedMeanwhile.getMessage()).isIn("Broken pipe", "Connection reset by peer");
                }
                victim.hangUp();
                assertThat(victim.listener.closed()).succeedsWithin(5, TimeUnit.SECONDS);
                // The event loop is alive, and tells of the failure.
                await().atMost(Duration.ofSeconds(5)).until(pending::isDone);
                assertThat(victim.client.send("after", Map.of()))
                        .failsWithin(5, TimeUnit.SECONDS)
                        .withThrowableThat()
                        .withCauseInstanceOf(HypervisorException.class);
            }
        }
    }

    private static byte[] mutate(String seed, Random random) {
        byte[] bytes = (seed + "\r\n").getBytes(StandardCharsets.UTF_8);
        for (int i = random.nextInt(4); i > 0; i--) {
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
        return random.nextInt(10) == 0 ? Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
    }
}
