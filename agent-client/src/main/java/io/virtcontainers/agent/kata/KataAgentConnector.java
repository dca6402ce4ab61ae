// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.util.concurrent.DefaultThreadFactory;
import io.virtcontainers.AgentException;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.GuestChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Makes the transport of each channel, and holds the threads that all connections share: {@link EventLoops}, and two for
 * the users' callbacks, which may be slow; all are daemons and start when needed.
 */
final class KataAgentConnector implements AgentConnector {
    private static final int CALLBACK_THREADS = 2;
    private static final long CALLBACK_KEEP_ALIVE_SECONDS = 10;
    private static final int LONGEST_SOCKET_PATH = 107; // sun_path of unix(7), less the NUL

    private final EventLoops loops = new EventLoops();
    private final ThreadPoolExecutor callbacks;
    private final Set<KataAgent> agents = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    KataAgentConnector() {
        // Unbounded, but with at most one short task for each process that ends, and for each sandbox.
        callbacks = new ThreadPoolExecutor(
                CALLBACK_THREADS,
                CALLBACK_THREADS,
                CALLBACK_KEEP_ALIVE_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                new DefaultThreadFactory("agent-callback", true));
        callbacks.allowCoreThreadTimeOut(true);
    }

    /** None: the hypervisor knows the channel, and tells the agent. */
    @Override
    public List<String> kernelParameters() {
        return List.of();
    }

    @Override
    public Agent connect(GuestChannel channel, BooleanSupplier halted) {
        Optional<AgentException> problem = problem(channel);
        // Where there is a problem, the transport only gives its name and never makes a socket.
        KataAgent agent =
                new KataAgent(transport(channel, problem.isEmpty() && !closed), callbacks, halted, agents::remove);
        agents.add(agent);
        if (closed) {
            agent.abort(new AgentException("the connector of the agent is closed"));
        } else if (problem.isPresent()) {
            agent.abort(problem.get());
        } else {
            agent.start();
        }
        return agent;
    }

    private Transport transport(GuestChannel channel, boolean usable) {
        if (channel instanceof GuestChannel.VirtioSerial port) {
            return new VirtioSerialTransport(port.socket(), port.yamux(), loops.nio());
        }
        if (channel instanceof GuestChannel.Vsock vsock) {
            return new VsockTransport(vsock, usable ? loops.epoll() : loops.nio());
        }
        GuestChannel.HybridVsock hybrid = (GuestChannel.HybridVsock) channel; // the last of the sealed kinds
        return new HybridVsockTransport(hybrid.socket(), hybrid.port(), loops.nio());
    }

    private static Optional<AgentException> problem(GuestChannel channel) {
        if (channel instanceof GuestChannel.VirtioSerial port) {
            return problem(port.socket());
        }
        return channel instanceof GuestChannel.HybridVsock hybrid ? problem(hybrid.socket()) : VsockTransport.problem();
    }

    private static Optional<AgentException> problem(Path socket) {
        return socket.toString().getBytes(StandardCharsets.UTF_8).length <= LONGEST_SOCKET_PATH
                ? Optional.empty()
                : Optional.of(new AgentException("the path of the agent's socket is longer than " + LONGEST_SOCKET_PATH
                        + " bytes, which unix sockets do not allow; choose a shorter state directory: " + socket));
    }

    /** Also closes connections that were left open, then waits a few seconds at most for the threads. */
    @Override
    public void close() {
        closed = true;
        agents.forEach(KataAgent::close);
        loops.close();
        callbacks.shutdown(); // after the loops: what they handed over still runs
    }
}
