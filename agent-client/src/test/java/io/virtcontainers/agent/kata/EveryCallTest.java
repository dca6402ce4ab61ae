// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.MethodDescriptor;
import io.virtcontainers.AgentException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestPath;
import io.virtcontainers.Resources;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.spi.Agent;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for every call that waits for the agent. */
class EveryCallTest {
    private record Call(MethodDescriptor<?, ?> method, BiConsumer<Agent, Deadline> action) {
        void run(Agent agent, Deadline deadline) {
            action.accept(agent, deadline);
        }

        String name() {
            return Rpc.of(method, "").method();
        }

        @Override
        public String toString() {
            return name();
        }
    }

    static List<Call> calls() {
        GuestInterface eth0 = new GuestInterface("eth0", "eth0", List.of(), 0, "02:00:ca:fe:00:01", false);
        return List.of(
                new Call(AgentServiceGrpc.getPauseContainerMethod(), (a, end) -> a.pauseContainer("web", end)),
                new Call(AgentServiceGrpc.getResumeContainerMethod(), (a, end) -> a.resumeContainer("web", end)),
                new Call(AgentServiceGrpc.getStatsContainerMethod(), (a, end) -> a.stats("web", end)),
                new Call(
                        AgentServiceGrpc.getUpdateContainerMethod(),
                        (a, end) -> a.updateContainer("web", Resources.none(), end)),
                new Call(AgentServiceGrpc.getListProcessesMethod(), (a, end) -> a.pids("web", end)),
                new Call(AgentServiceGrpc.getListProcessesMethod(), (a, end) -> a.processTable("web", List.of(), end)),
                new Call(AgentServiceGrpc.getListInterfacesMethod(), Agent::interfaces),
                new Call(AgentServiceGrpc.getUpdateInterfaceMethod(), (a, end) -> a.updateInterface(eth0, end)),
                new Call(AgentServiceGrpc.getListRoutesMethod(), Agent::routes),
                new Call(AgentServiceGrpc.getUpdateRoutesMethod(), (a, end) -> a.updateRoutes(List.of(), end)),
                new Call(AgentServiceGrpc.getAddARPNeighborsMethod(), (a, end) -> a.addNeighbors(List.of(), end)),
                new Call(AgentServiceGrpc.getGetGuestDetailsMethod(), Agent::details),
                new Call(
                        AgentServiceGrpc.getCopyFileMethod(),
                        (a, end) -> a.copyFile(Path.of("/proc/self/stat"), GuestPath.of("/run/x"), end)),
                new Call(AgentServiceGrpc.getSetGuestDateTimeMethod(), (a, end) -> a.setTime(Instant.EPOCH, end)),
                new Call(AgentServiceGrpc.getReseedRandomDevMethod(), Agent::reseedRandom),
                new Call(AgentServiceGrpc.getOnlineCPUMemMethod(), (a, end) -> a.onlineCpus(1, end)),
                new Call(AgentServiceGrpc.getOnlineCPUMemMethod(), Agent::onlineMemory),
                new Call(AgentServiceGrpc.getMemHotplugByProbeMethod(), (a, end) -> a.probeMemory(List.of(1L), end)),
                new Call(AgentServiceGrpc.getStartTracingMethod(), (a, end) -> a.trace(true, end)),
                new Call(AgentServiceGrpc.getStopTracingMethod(), (a, end) -> a.trace(false, end)));
    }

    @TempDir
    private Path directory;

    private Fixture f;

    @BeforeEach
    void connect() {
        f = new Fixture(directory);
    }

    @AfterEach
    void close() {
        f.close();
    }

    @ParameterizedTest
    @MethodSource("calls")
    void endsAtItsDeadline(Call call) {
        FakeAgentServer.Hung hung = f.server.hang(call.method());
        assertThatThrownBy(() -> call.run(f.agent, Deadline.after(Duration.ofMillis(100))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining(call.name());
        hung.awaitCancellation();
    }

    @ParameterizedTest
    @MethodSource("calls")
    void endsWhenItsThreadIsInterrupted(Call call) throws Exception {
        FakeAgentServer.Hung hung = f.server.hang(call.method());
        CompletableFuture<Throwable> error = new CompletableFuture<>();
        Thread caller = new Thread(() -> {
            try {
                call.run(f.agent, Fixture.soon());
            } catch (CancelledException e) {
                error.complete(Thread.currentThread().isInterrupted() ? e : new AssertionError("flag not set"));
            }
        });
        caller.start();
        hung.awaitArrival();
        caller.interrupt();
        assertThat(error.get(10, TimeUnit.SECONDS)).isInstanceOf(CancelledException.class);
        hung.awaitCancellation();
    }

    @ParameterizedTest
    @MethodSource("calls")
    void failsWithTheReasonOfAnAbort(Call call) throws Exception {
        FakeAgentServer.Hung hung = f.server.hang(call.method());
        var running = CompletableFuture.runAsync(() -> call.run(f.agent, Fixture.soon()));
        hung.awaitArrival();
        VmDiedException reason = new VmDiedException("QEMU was killed by signal 9");
        f.agent.abort(reason);
        assertThatThrownBy(() -> running.get(10, TimeUnit.SECONDS)).hasCause(reason);
        assertThatThrownBy(() -> call.run(f.agent, Fixture.soon())).isSameAs(reason);
    }

    @ParameterizedTest
    @MethodSource("calls")
    void namesTheVersionOfAnAgentThatDoesNotKnowIt(Call call) {
        assertThatThrownBy(() -> call.run(f.agent, Fixture.soon()))
                .isExactlyInstanceOf(UnsupportedException.class)
                .hasMessage("agent 1.13.0-fake does not support " + call.name() + ": unknown method");
    }

    @ParameterizedTest
    @MethodSource("calls")
    void refusesAnAnswerThatIsNoMessage(Call call) {
        f.server.answerRaw(call.method, new byte[] {(byte) 0xff});
        assertThatThrownBy(() -> call.run(f.agent, Fixture.soon())).isInstanceOf(AgentException.class);
    }

    @Test
    void refusesTextThatIsNotUtf8() {
        f.server.answerRaw(AgentServiceGrpc.getUpdateInterfaceMethod(), new byte[] {0x0a, 0x02, (byte) 0xc3, 0x28});
        calls().stream()
                .filter(call -> call.method().equals(AgentServiceGrpc.getUpdateInterfaceMethod()))
                .forEach(call -> assertThatThrownBy(() -> call.run(f.agent, Fixture.soon()))
                        .isInstanceOf(AgentException.class));
    }

    @ParameterizedTest
    @MethodSource("calls")
    void refusesAnAnswerThatIsTooLarge(Call call) {
        f.server.answerRaw(call.method, new byte[(1 << 20) + 1]);
        assertThatThrownBy(() -> call.run(f.agent, Fixture.soon()))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("1048576");
    }
}
