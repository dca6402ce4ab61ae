// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Empty;
import io.grpc.Status;
import io.virtcontainers.AgentConnectionLostException;
import io.virtcontainers.AgentException;
import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.DeadlineExceededException;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.User;
import io.virtcontainers.VirtException;
import io.virtcontainers.VmDiedException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.CreateContainerRequest;
import io.virtcontainers.agent.kata.protocol.CreateSandboxRequest;
import io.virtcontainers.agent.kata.protocol.ExecProcessRequest;
import io.virtcontainers.agent.kata.protocol.SignalProcessRequest;
import io.virtcontainers.agent.kata.protocol.TtyWinResizeRequest;
import io.virtcontainers.spi.ContainerRoot;
import io.virtcontainers.spi.Deadline;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class KataAgentTest {
    private static final ContainerConfig WEB = ContainerConfig.builder("web")
            .rootfs(RootFs.image(Path.of("web.erofs")))
            .command("nginx", "-g", "daemon off;")
            .build();

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

    private <Q> AtomicReference<Q> record(io.grpc.MethodDescriptor<Q, Empty> method) {
        return f.server.record(method, Empty.getDefaultInstance());
    }

    @Test
    void createsTheSandboxWithAHostnameThatLinuxAccepts() {
        AtomicReference<CreateSandboxRequest> seen = record(AgentServiceGrpc.getCreateSandboxMethod());
        f.agent.createSandbox("demo", "h".repeat(70), Fixture.soon());
        assertThat(seen.get().getSandboxId()).isEqualTo("demo");
        assertThat(seen.get().getHostname()).isEqualTo("h".repeat(64));
    }

    @Test
    void createsAContainerWithItsStoragesAndSpec() {
        AtomicReference<CreateContainerRequest> seen = record(AgentServiceGrpc.getCreateContainerMethod());
        f.agent.createContainer(WEB, "02/1e", Fixture.soon());
        assertThat(seen.get()).isEqualTo(ContainerRequests.create(WEB, ContainerRoot.layered("web", "blk", "02/1e")));
    }

    @Test
    void startsAProcessSignalsAndResizesIt() {
        AtomicReference<ExecProcessRequest> exec = record(AgentServiceGrpc.getExecProcessMethod());
        AtomicReference<SignalProcessRequest> signal = record(AgentServiceGrpc.getSignalProcessMethod());
        AtomicReference<TtyWinResizeRequest> resize = record(AgentServiceGrpc.getTtyWinResizeMethod());
        f.server.ignore(AgentServiceGrpc.getWaitProcessMethod());
        ProcessConfig config = ProcessConfig.builder("top")
                .terminal(new TerminalSize(24, 80))
                .user(User.of(1000, 1000))
                .build();
        GuestProcess process = f.agent.exec("web", "top-1", config, Fixture.soon());
        assertThat(process.id()).isEqualTo("top-1");
        assertThat(exec.get().getContainerId()).isEqualTo("web");
        assertThat(exec.get().getExecId()).isEqualTo("top-1");
        assertThat(exec.get().getProcess()).isEqualTo(OciSpecs.process(config));
        process.signal(Signal.USR1);
        assertThat(signal.get())
                .isEqualTo(SignalProcessRequest.newBuilder()
                        .setContainerId("web")
                        .setExecId("top-1")
                        .setSignal(10)
                        .build());
        process.resize(new TerminalSize(50, 132));
        assertThat(resize.get())
                .isEqualTo(TtyWinResizeRequest.newBuilder()
                        .setContainerId("web")
                        .setExecId("top-1")
                        .setRow(50)
                        .setColumn(132)
                        .build());
    }

    @Test
    void signalsAWholeContainerByLeavingOutTheExecId() {
        AtomicReference<SignalProcessRequest> seen = record(AgentServiceGrpc.getSignalProcessMethod());
        f.agent.signalContainer("web", Signal.TERM, Fixture.soon());
        assertThat(seen.get())
                .isEqualTo(SignalProcessRequest.newBuilder()
                        .setContainerId("web")
                        .setSignal(15)
                        .build());
    }

    @Test
    void removingAnUnknownContainerDoesNothing() {
        f.server.refuse(AgentServiceGrpc.getRemoveContainerMethod(), Status.NOT_FOUND);
        f.agent.removeContainer("web", Fixture.soon());
        f.server.refuse(AgentServiceGrpc.getRemoveContainerMethod(), Status.INTERNAL.withDescription("busy"));
        assertThatThrownBy(() -> f.agent.removeContainer("web", Fixture.soon()))
                .isInstanceOf(AgentException.class)
                .hasMessage("the agent refused RemoveContainer (container web): INTERNAL: busy");
    }

    @Test
    void signallingAProcessThatHasEndedDoesNothing() {
        f.server.refuse(AgentServiceGrpc.getSignalProcessMethod(), Status.NOT_FOUND);
        f.process().signal(Signal.KILL);
    }

    @ParameterizedTest
    @EnumSource(value = Status.Code.class, mode = EnumSource.Mode.EXCLUDE, names = "OK")
    void mapsEveryStatus(Status.Code code) {
        f.server.refuse(
                AgentServiceGrpc.getStartContainerMethod(), code.toStatus().withDescription("because\nof 42"));
        Class<? extends VirtException> expected = switch (code) {
            case NOT_FOUND -> NotFoundException.class;
            case ALREADY_EXISTS -> AlreadyExistsException.class;
            case DEADLINE_EXCEEDED -> DeadlineExceededException.class;
            case UNAVAILABLE -> AgentConnectionLostException.class;
            case UNIMPLEMENTED -> UnsupportedException.class;
            default -> AgentException.class;
        };
        assertThatThrownBy(() -> f.agent.startContainer("web", Fixture.soon()))
                .isExactlyInstanceOf(expected)
                .hasMessageContaining("StartContainer")
                .hasMessageEndingWith(": because of 42")
                .hasRootCauseInstanceOf(io.grpc.StatusRuntimeException.class);
    }

    @Test
    void namesTheVersionOfAnAgentThatDoesNotSupportACall() {
        assertThatThrownBy(() -> f.agent.startContainer("web", Fixture.soon()))
                .isExactlyInstanceOf(UnsupportedException.class)
                .hasMessage("agent 1.13.0-fake does not support StartContainer: unknown method");
    }

    @Test
    void cutsWhatAHostileAgentSays() {
        f.server.refuse(AgentServiceGrpc.getStartContainerMethod(), Status.INTERNAL.withDescription("x".repeat(5000)));
        VirtException error =
                catchThrowableOfType(VirtException.class, () -> f.agent.startContainer("web", Fixture.soon()));
        assertThat(error.getMessage()).hasSizeLessThan(2200);
    }

    @Test
    void saysThatAProgramIsMissing() {
        f.server.refuse(
                AgentServiceGrpc.getCreateContainerMethod(), Status.NOT_FOUND, AgentErrors.EXECUTABLE_NOT_FOUND);
        CommandNotFoundException error = catchThrowableOfType(
                CommandNotFoundException.class, () -> f.agent.createContainer(WEB, "02/01", Fixture.soon()));
        assertThat(error.exitCode()).isEqualTo(127);
        assertThat(error)
                .hasMessage("no such program \"nginx\" in the container's root file system; PATH is "
                        + "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    }

    @Test
    void saysThatAProgramMayNotBeExecuted() {
        f.server.refuse(
                AgentServiceGrpc.getExecProcessMethod(),
                Status.PERMISSION_DENIED.withDescription("EACCES"),
                AgentErrors.EXECUTABLE_NOT_PERMITTED);
        CommandNotFoundException error = catchThrowableOfType(
                CommandNotFoundException.class,
                () -> f.agent.exec("web", "x", ProcessConfig.of("/etc/passwd"), Fixture.soon()));
        assertThat(error.exitCode()).isEqualTo(126);
        assertThat(error)
                .hasMessageContaining("\"/etc/passwd\" may not be executed")
                .hasMessageContaining("EACCES");
    }

    @Test
    void aDeadlineEndsACallAndNamesIt() {
        FakeAgentServer.Hung hung = f.server.hang(AgentServiceGrpc.getStartContainerMethod());
        assertThatThrownBy(() -> f.agent.startContainer("web", Deadline.after(Duration.ofMillis(100))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("StartContainer (container web)");
        hung.awaitCancellation();
    }

    @Test
    void anInterruptEndsACallAndCancelsItInTheGuest() throws Exception {
        CountDownLatch arrived = new CountDownLatch(1);
        CountDownLatch cancelled = new CountDownLatch(1);
        f.server.on(AgentServiceGrpc.getStartContainerMethod(), (request, observer) -> {
            ((io.grpc.stub.ServerCallStreamObserver<Empty>) observer).setOnCancelHandler(cancelled::countDown);
            arrived.countDown();
        });
        AtomicReference<Throwable> error = new AtomicReference<>();
        Thread caller = new Thread(() -> {
            try {
                f.agent.startContainer("web", Fixture.soon());
            } catch (CancelledException e) {
                error.set(Thread.currentThread().isInterrupted() ? e : new AssertionError("flag not set"));
            }
        });
        caller.start();
        assertThat(arrived.await(10, TimeUnit.SECONDS)).isTrue();
        caller.interrupt();
        caller.join(10_000);
        assertThat(error.get()).isInstanceOf(CancelledException.class);
        assertThat(cancelled.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void anAbortFailsEverythingAtOnceWithItsReason() throws Exception {
        f.server.ignore(AgentServiceGrpc.getStartContainerMethod());
        f.server.ignore(AgentServiceGrpc.getReadStdoutMethod());
        f.server.ignore(AgentServiceGrpc.getWriteStdinMethod());
        GuestProcess process = f.process();
        var call = CompletableFuture.runAsync(() -> f.agent.startContainer("web", Fixture.soon()));
        var read = CompletableFuture.supplyAsync(
                () -> catchIo(() -> process.stdout().read()));
        var write = CompletableFuture.supplyAsync(
                () -> catchIo(() -> process.stdin().write(1)));
        CompletableFuture<?> exit = process.onExit();
        await().pollDelay(Duration.ofMillis(100)).until(() -> !call.isDone() && !read.isDone() && !write.isDone());

        VmDiedException reason = new VmDiedException("QEMU was killed by signal 9");
        long begin = System.nanoTime();
        f.agent.abort(reason);
        assertThatThrownBy(exit::join).hasCause(reason);
        assertThatThrownBy(call::join).hasCause(reason);
        assertThat(read.join()).hasCause(reason).hasMessage(reason.getMessage());
        assertThat(write.join()).hasCause(reason).hasMessage(reason.getMessage());
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofMillis(500));

        f.agent.abort(new VmDiedException("a later reason"));
        f.agent.close();
        assertThatThrownBy(() -> f.agent.destroySandbox(Fixture.soon())).isSameAs(reason);
        assertThatThrownBy(() -> process.waitFor(Duration.ofSeconds(5))).isSameAs(reason);
        assertThatThrownBy(() -> process.signal(Signal.KILL)).isSameAs(reason);
        assertThat(catchIo(() -> process.stdout().read())).hasCause(reason);
        assertThat(catchIo(() -> process.stderr().read())).hasCause(reason);
        assertThatThrownBy(() -> f.agent.process("web", "web", false).onExit().join())
                .hasCause(reason);
    }

    @Test
    void aBrokenConnectionFailsTheCallInFlightAndIsMadeAgainForTheNext() {
        f.server.on(AgentServiceGrpc.getStartContainerMethod(), (request, observer) -> f.server.drop());
        assertThatThrownBy(() -> f.agent.startContainer("web", Fixture.soon()))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("outcome of StartContainer (container web) is unknown");
        // The loss reaches the call before the channel: a call in between may still go out on the dead connection.
        await().atMost(Duration.ofSeconds(10))
                .untilAsserted(
                        () -> assertThatThrownBy(() -> f.agent.destroySandbox(Deadline.after(Duration.ofMillis(300))))
                                .isInstanceOf(DeadlineExceededException.class)
                                .hasMessageContaining("a new connection to the agent for DestroySandbox"));
        f.server.answerEmpty(AgentServiceGrpc.getDestroySandboxMethod());
        f.server.restart();
        f.agent.destroySandbox(Fixture.soon());
    }

    @Test
    void closingFailsWhatIsUnderWay() {
        GuestProcess process = f.process();
        f.agent.close();
        assertThatThrownBy(() -> process.waitFor(Duration.ofSeconds(5)))
                .isInstanceOf(AgentException.class)
                .hasMessage("the connection to the agent was closed");
        assertThatThrownBy(() -> f.agent.destroySandbox(Fixture.soon())).hasMessageContaining("was closed");
    }

    private interface Io {
        void run() throws java.io.IOException;
    }

    private static java.io.IOException catchIo(Io action) {
        return catchThrowableOfType(java.io.IOException.class, action::run);
    }
}
