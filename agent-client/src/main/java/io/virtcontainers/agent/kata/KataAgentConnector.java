// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.virtcontainers.AgentException;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.AgentConnector;
import io.virtcontainers.spi.GuestChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Holds the threads that all connections share: two event loops, and two for the users' callbacks, which may be slow; all
 * are daemons and start when needed.
 */
final class KataAgentConnector implements AgentConnector {
    private static final int EVENT_LOOPS = 2;
    private static final int CALLBACK_THREADS = 2;
    private static final long CALLBACK_KEEP_ALIVE_SECONDS = 10;
    private static final long CLOSE_SECONDS = 5;
    private static final int LONGEST_SOCKET_PATH = 107; // sun_path of unix(7), less the NUL

    private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(
            EVENT_LOOPS, new DefaultThreadFactory("agent-io", true), NioIoHandler.newFactory());
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

    /** None: the guest's agent finds its port by name. */
    @Override
    public List<String> kernelParameters() {
        return List.of();
    }

    @Override
    public Agent connect(GuestChannel channel) {
        KataAgent agent = new KataAgent(channel.unixSocket(), loops.next(), callbacks, agents::remove);
        agents.add(agent);
        String path = channel.unixSocket().toString();
        if (closed) {
            agent.abort(new AgentException("the connector of the agent is closed"));
        } else if (path.getBytes(StandardCharsets.UTF_8).length > LONGEST_SOCKET_PATH) {
            agent.abort(new AgentException("the path of the agent's socket is longer than " + LONGEST_SOCKET_PATH
                    + " bytes, which unix sockets do not allow; choose a shorter state directory: " + path));
        } else {
            agent.start();
        }
        return agent;
    }

    /** Also closes connections that were left open, then waits a few seconds at most for the threads. */
    @Override
    public void close() {
        closed = true;
        agents.forEach(KataAgent::close);
        try {
            var unused =
                    loops.shutdownGracefully(0, CLOSE_SECONDS, TimeUnit.SECONDS).await(CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        callbacks.shutdown(); // after the loops: what they handed over still runs
    }
}
