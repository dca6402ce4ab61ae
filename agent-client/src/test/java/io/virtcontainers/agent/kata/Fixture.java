// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.GuestProcess;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestChannel;
import java.nio.file.Path;
import java.time.Duration;

/** A fake agent and a client that is connected to it. */
final class Fixture implements AutoCloseable {
    final Path socket;
    final FakeAgentServer server;
    final KataAgentConnector connector = new KataAgentConnector();
    final Agent agent;

    Fixture(Path directory) {
        socket = directory.resolve("agent.sock");
        server = new FakeAgentServer(socket);
        agent = connector.connect(new GuestChannel.VirtioSerial(socket, false));
        agent.awaitReady(soon());
    }

    static AgentConnection connection(Transport transport) {
        return new AgentConnection(transport, KeepAlive.INTERVAL, () -> false, Runnable::run);
    }

    /** A deadline that only a hang reaches. */
    static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(20));
    }

    /** A process that runs until the test scripts WaitProcess otherwise. */
    GuestProcess process() {
        server.ignore(AgentServiceGrpc.getWaitProcessMethod());
        return start();
    }

    GuestProcess start() {
        server.answerEmpty(AgentServiceGrpc.getExecProcessMethod());
        return agent.exec("web", "shell", ProcessConfig.of("sh"), soon());
    }

    @Override
    public void close() {
        agent.close();
        connector.close();
        server.close();
    }
}
