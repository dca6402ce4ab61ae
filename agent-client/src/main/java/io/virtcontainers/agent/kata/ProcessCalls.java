// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.google.protobuf.ByteString;
import io.grpc.MethodDescriptor;
import io.virtcontainers.AgentException;
import io.virtcontainers.ExitStatus;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Signal;
import io.virtcontainers.TerminalSize;
import io.virtcontainers.VirtException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.CloseStdinRequest;
import io.virtcontainers.agent.kata.protocol.ExecProcessRequest;
import io.virtcontainers.agent.kata.protocol.ReadStreamRequest;
import io.virtcontainers.agent.kata.protocol.ReadStreamResponse;
import io.virtcontainers.agent.kata.protocol.SignalProcessRequest;
import io.virtcontainers.agent.kata.protocol.TtyWinResizeRequest;
import io.virtcontainers.agent.kata.protocol.WaitProcessRequest;
import io.virtcontainers.agent.kata.protocol.WaitProcessResponse;
import io.virtcontainers.agent.kata.protocol.WriteStreamRequest;
import io.virtcontainers.agent.kata.protocol.WriteStreamResponse;
import io.virtcontainers.spi.Deadline;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** The calls about one process. Those that wait for the process have no deadline and are futures. Thread-safe. */
record ProcessCalls(AgentConnection connection, String containerId, String execId) {
    /** The deadline of a call for which the caller gives none; Kata's. */
    static final Duration DEFAULT_DEADLINE = Duration.ofSeconds(60);

    private static final int HIGHEST_CODE = 255;

    CompletableFuture<WaitProcessResponse> waitProcess() {
        return connection.open(AgentServiceGrpc.getWaitProcessMethod(), waitRequest());
    }

    /** How the process ended, if the agent tells at once. */
    Optional<ExitStatus> exitIfEnded(Deadline deadline) {
        var method = AgentServiceGrpc.getWaitProcessMethod();
        return connection
                .callForWhatIsKnown(method, waitRequest(), rpc(method), deadline)
                .map(this::exitStatus);
    }

    /** @throws AgentException if no process can end like that */
    ExitStatus exitStatus(WaitProcessResponse answer) {
        int code = answer.getStatus();
        if (code < 0 || code > HIGHEST_CODE) {
            throw new AgentException(
                    "the agent sent an impossible exit code for " + Rpc.process(containerId, execId) + ": " + code);
        }
        return new ExitStatus(code);
    }

    private WaitProcessRequest waitRequest() {
        return WaitProcessRequest.newBuilder()
                .setContainerId(containerId)
                .setExecId(execId)
                .build();
    }

    CompletableFuture<ReadStreamResponse> read(
            MethodDescriptor<ReadStreamRequest, ReadStreamResponse> output, int atMost) {
        return connection.open(
                output,
                ReadStreamRequest.newBuilder()
                        .setContainerId(containerId)
                        .setExecId(execId)
                        .setLen(atMost)
                        .build());
    }

    CompletableFuture<WriteStreamResponse> writeStdin(ByteString data) {
        return connection.open(
                AgentServiceGrpc.getWriteStdinMethod(),
                WriteStreamRequest.newBuilder()
                        .setContainerId(containerId)
                        .setExecId(execId)
                        .setData(data)
                        .build());
    }

    /** Starts the process. */
    void exec(ProcessConfig process, Deadline deadline) {
        var method = AgentServiceGrpc.getExecProcessMethod();
        var request = ExecProcessRequest.newBuilder()
                .setContainerId(containerId)
                .setExecId(execId)
                .setProcess(OciSpecs.process(process))
                .build();
        var unused = connection.call(method, request, rpc(method).starting(process), deadline);
    }

    /** Waits for the answer, at most for the default deadline. */
    void closeStdin() {
        var method = AgentServiceGrpc.getCloseStdinMethod();
        var request = CloseStdinRequest.newBuilder()
                .setContainerId(containerId)
                .setExecId(execId)
                .build();
        var unused = connection.call(method, request, rpc(method), Deadline.after(DEFAULT_DEADLINE));
    }

    void signal(Signal signal) {
        var method = AgentServiceGrpc.getSignalProcessMethod();
        var request = SignalProcessRequest.newBuilder()
                .setContainerId(containerId)
                .setExecId(execId)
                .setSignal(signal.number())
                .build();
        Rpc rpc = Rpc.of(method, signal + " to " + Rpc.process(containerId, execId));
        var unused = connection.call(method, request, rpc, Deadline.after(DEFAULT_DEADLINE));
    }

    void resize(TerminalSize size) {
        var method = AgentServiceGrpc.getTtyWinResizeMethod();
        var request = TtyWinResizeRequest.newBuilder()
                .setContainerId(containerId)
                .setExecId(execId)
                .setRow(size.rows())
                .setColumn(size.columns())
                .build();
        var unused = connection.call(method, request, rpc(method), Deadline.after(DEFAULT_DEADLINE));
    }

    VirtException mapError(Throwable error, MethodDescriptor<?, ?> method) {
        return connection.mapError(error, rpc(method));
    }

    private Rpc rpc(MethodDescriptor<?, ?> method) {
        return Rpc.of(method, Rpc.process(containerId, execId));
    }
}
