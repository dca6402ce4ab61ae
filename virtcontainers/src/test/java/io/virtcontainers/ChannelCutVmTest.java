// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Busy sessions on all channels of a real guest at once, each cut again and again at a random point: every call ends with
 * an answer or a typed error within its deadline, the same client connects anew, and the agent lives on. The number of cuts
 * and the seed can be given as system properties {@code cuts} and {@code cuts.seed}.
 */
@Tag("vm")
class ChannelCutVmTest {
    private static final int CUTS = Integer.getInteger("cuts", 100);
    private static final long SEED = Long.getLong("cuts.seed", new Random().nextLong());

    private static final Duration DEADLINE = Duration.ofSeconds(10);
    /** More than any scheduling needs. */
    private static final Duration SLACK = Duration.ofSeconds(3);
    /** How long a client may need to be of use again. */
    private static final Duration RECOVERY = Duration.ofSeconds(40);

    private static final List<CutProxy.Harm> HARMS =
            List.of(CutProxy.Harm.CUT, CutProxy.Harm.HALF_CLOSE, CutProxy.Harm.DROP, CutProxy.Harm.GARBLE);
    private static final int EXEC_EVERY = 5;
    private static final int LATEST = 200_000;
    private static final int EARLIEST = 250; // of bytes, that is about the greeting, the preface and the settings
    private static final int LONGEST = 64;

    @TempDir
    Path directory;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final AtomicLong slowest = new AtomicLong();

    @Test
    @Timeout(900)
    void theAgentAndTheClientOutliveEveryCut() throws Exception {
        try (RealGuest guest = new RealGuest(directory)) {
            List<CompletableFuture<Void>> workers = new ArrayList<>();
            for (int i = 0; i < guest.channels(); i++) {
                int channel = i;
                int cuts = CUTS / guest.channels() + (i < CUTS % guest.channels() ? 1 : 0);
                workers.add(CompletableFuture.runAsync(() -> cutAgainAndAgain(guest, channel, cuts), threads));
            }
            for (CompletableFuture<Void> worker : workers) {
                worker.get(14, TimeUnit.MINUTES);
            }
            try (AutoCloseableAgent last = new AutoCloseableAgent(guest.connect(0))) {
                last.agent.check(Deadline.after(DEADLINE));
            }
        } finally {
            threads.shutdownNow();
        }
        assertThat(threads.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    @Timeout(180)
    void aChannelThatFallsSilentIsReplaced() throws Exception {
        try (RealGuest guest = new RealGuest(directory)) {
            for (boolean toGuest : new boolean[] {true, false}) {
                Path socket = guest.directory().resolve("mute-" + toGuest + ".sock");
                try (CutProxy proxy = new CutProxy(socket, guest.socket(0));
                        AutoCloseableAgent client = new AutoCloseableAgent(guest.connect(socket))) {
                    client.agent.awaitReady(RealGuest.soon());
                    proxy.arm(new CutProxy.Plan(CutProxy.Harm.MUTE, toGuest, 0, 1, 0));
                    assertThatThrownBy(() -> client.agent.check(Deadline.after(Duration.ofSeconds(1))))
                            .isInstanceOf(DeadlineExceededException.class);
                    client.agent.check(Deadline.after(RECOVERY));
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private record AutoCloseableAgent(Agent agent) implements AutoCloseable {
        @Override
        public void close() {
            agent.close();
        }
    }

    private void cutAgainAndAgain(RealGuest guest, int channel, int cuts) {
        String busy = "busy-" + channel;
        Agent direct = guest.connect(channel);
        direct.exec(RealGuest.CONTAINER, busy, ProcessConfig.of("cat", "/dev/zero"), RealGuest.soon());
        direct.exec(
                RealGuest.CONTAINER, busy + "-sink", ProcessConfig.of("sh", "-c", "cat > /dev/null"), RealGuest.soon());
        direct.close();
        Path socket = guest.directory().resolve("cut-" + channel + ".sock");
        Random random = new Random(SEED + channel);
        try (CutProxy proxy = new CutProxy(socket, guest.socket(channel));
                AutoCloseableAgent client = new AutoCloseableAgent(guest.connect(socket))) {
            client.agent.awaitReady(RealGuest.soon());
            for (int i = 0; i < cuts; i++) {
                CutProxy.Plan plan = new CutProxy.Plan(
                        HARMS.get(random.nextInt(HARMS.size())),
                        random.nextBoolean(),
                        random.nextInt(random.nextInt(4) == 0 ? EARLIEST : LATEST),
                        1 + random.nextInt(LONGEST),
                        random.nextLong());
                String what = "cut " + i + " of channel " + channel + ", seed " + SEED + ": " + plan;
                try {
                    cut(client.agent, proxy, plan, busy);
                    long start = System.nanoTime();
                    recover(client.agent, what);
                    slowest.accumulateAndGet(System.nanoTime() - start, Math::max);
                    if (i % EXEC_EVERY == 0) {
                        GuestProcess alive = client.agent.exec(
                                RealGuest.CONTAINER, busy + "-true-" + i, ProcessConfig.of("true"), RealGuest.soon());
                        assertThat(alive.waitFor(VmFixture.SOON).code())
                                .as(what)
                                .isZero();
                    }
                } catch (Exception e) {
                    throw new AssertionError(what, e);
                }
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Returns when the harm is done and everything that was under way has ended. */
    private void cut(Agent agent, CutProxy proxy, CutProxy.Plan plan, String busy) throws Exception {
        GuestProcess source = agent.process(RealGuest.CONTAINER, busy, false);
        GuestProcess sink = agent.process(RealGuest.CONTAINER, busy + "-sink", false);
        proxy.arm(plan);
        InputStream output = source.stdout();
        CompletableFuture<Void> reading = CompletableFuture.runAsync(() -> read(output, proxy), threads);
        Thread writer = new Thread(() -> write(sink, proxy), "cut-writer");
        writer.start();
        while (proxy.isArmed()) {
            checkInTime(agent);
        }
        checkInTime(agent);
        output.close();
        writer.interrupt();
        reading.get(DEADLINE.toSeconds(), TimeUnit.SECONDS);
        writer.join(DEADLINE.toMillis());
        assertThat(writer.isAlive())
                .as("a write of a channel that was cut goes on")
                .isFalse();
    }

    private static void checkInTime(Agent agent) {
        long start = System.nanoTime();
        try {
            agent.check(Deadline.after(DEADLINE));
        } catch (VirtException typed) {
            // As it must be: nothing else than this, or success.
        }
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        assertThat(took).as("how long a call took").isLessThan(DEADLINE.plus(SLACK));
    }

    private static void read(InputStream output, CutProxy proxy) {
        byte[] piece = new byte[64 << 10];
        try {
            while (proxy.isArmed() && output.read(piece) >= 0) {
                // The bytes do not matter: a garbled one may be data.
            }
        } catch (IOException broken) {
            // As it must be.
        }
    }

    private static void write(GuestProcess sink, CutProxy proxy) {
        byte[] piece = new byte[100_000];
        try {
            while (proxy.isArmed() && !Thread.currentThread().isInterrupted()) {
                sink.stdin().write(piece);
            }
        } catch (IOException broken) {
            // As it must be.
        }
    }

    private static void recover(Agent agent, String what) {
        Deadline end = Deadline.after(RECOVERY);
        while (true) {
            try {
                agent.check(Deadline.after(DEADLINE));
                return;
            } catch (VirtException e) {
                if (end.isExpired()) {
                    throw new AssertionError("no answer any more after " + what, e);
                }
            }
        }
    }
}
