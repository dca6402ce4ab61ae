// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.virtcontainers.AgentException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;

/**
 * What an agent may send on its channel, in place of HTTP/2 and inside it, to a client that is connected over a real
 * socket. Runs over the committed inputs; fuzzes if JAZZER_FUZZ=1 is in the environment.
 */
class ConnectionFuzzTest {
    private static final Duration SHORT = Duration.ofMillis(15);
    private static final Duration LATEST = Duration.ofSeconds(20);
    private static final Path DIRECTORY = directory();
    private static final KataAgentConnector CONNECTOR = new KataAgentConnector();
    private static int count;

    private static Path directory() {
        try {
            return Files.createTempDirectory("fuzz");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The agent sends the greeting back, then the input, and then nothing more. */
    @FuzzTest(maxDuration = "10m")
    void aCallEndsWithAnAnswerOrAnErrorOfTheContract(byte[] input) throws Exception {
        Path socket = DIRECTORY.resolve("s" + count++);
        try (RawServer server = RawServer.sending(socket, input)) {
            Deadline end = Deadline.after(LATEST);
            Agent agent = CONNECTOR.connect(new GuestChannel.VirtioSerial(socket, false));
            try {
                agent.awaitReady(Deadline.after(SHORT));
                agent.interfaces(Deadline.after(SHORT));
            } catch (AgentException | DeadlineExceededException e) {
                assertThat(e.getMessage()).hasSizeLessThan(5000);
            } finally {
                agent.close();
            }
            assertThat(end.remaining()).as("time left of " + LATEST).isPositive();
            assertThat(server.accepted()).isLessThan(20);
        }
    }

    /** Whatever came before, the event loops still serve. */
    @AfterAll
    static void aGoodAgentIsServedAfterwards() throws Exception {
        Path socket = DIRECTORY.resolve("good");
        FakeAgentServer server = new FakeAgentServer(socket);
        try (Agent agent = CONNECTOR.connect(new GuestChannel.VirtioSerial(socket, false))) {
            agent.awaitReady(Fixture.soon());
            agent.check(Fixture.soon());
        } finally {
            CONNECTOR.close();
            server.close();
            Files.deleteIfExists(socket);
            Files.delete(DIRECTORY);
        }
    }
}
