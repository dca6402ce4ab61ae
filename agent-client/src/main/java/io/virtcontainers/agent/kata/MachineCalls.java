// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import com.google.protobuf.ByteString;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.GuestDetailsRequest;
import io.virtcontainers.agent.kata.protocol.GuestServiceGrpc;
import io.virtcontainers.agent.kata.protocol.MemHotplugByProbeRequest;
import io.virtcontainers.agent.kata.protocol.OnlineCPUMemRequest;
import io.virtcontainers.agent.kata.protocol.RenewSandboxRequest;
import io.virtcontainers.agent.kata.protocol.ReseedRandomDevRequest;
import io.virtcontainers.agent.kata.protocol.SetGuestDateTimeRequest;
import io.virtcontainers.agent.kata.protocol.StartTracingRequest;
import io.virtcontainers.agent.kata.protocol.StopTracingRequest;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestDetails;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.List;

/** The calls about the guest as a machine; our agent answers them also before CreateSandbox. Thread-safe. */
record MachineCalls(AgentConnection connection) {
    private static final int SEED_BYTES = 512; // as upstream's host does
    private static final SecureRandom RANDOM = new SecureRandom();

    GuestDetails details(Deadline deadline) {
        var method = AgentServiceGrpc.getGetGuestDetailsMethod();
        var request = GuestDetailsRequest.newBuilder()
                .setMemBlockSize(true)
                .setMemHotplugProbe(true)
                .build();
        return SandboxMessages.read(connection.call(method, request, Rpc.of(method, ""), deadline));
    }

    void renew(String sandboxId, String hostname, Instant time, List<String> resumed, Deadline deadline) {
        requireSince1970(time);
        var method = GuestServiceGrpc.getRenewSandboxMethod();
        var request = RenewSandboxRequest.newBuilder()
                .setSandboxId(sandboxId)
                .setHostname(SandboxMessages.shortened(hostname))
                .setRandom(seed())
                .setSec(time.getEpochSecond())
                .setUsec(time.getNano() / 1000)
                .addAllResumedContainers(resumed)
                .build();
        var unused = connection.call(method, request, Rpc.of(method, "sandbox " + sandboxId), deadline);
    }

    private static void requireSince1970(Instant time) {
        if (time.isBefore(Instant.EPOCH)) {
            throw new InvalidConfigException("time", time.toString(), "must not be before 1970");
        }
    }

    private static ByteString seed() {
        byte[] seed = new byte[SEED_BYTES];
        RANDOM.nextBytes(seed);
        return ByteString.copyFrom(seed);
    }

    void setTime(Instant time, Deadline deadline) {
        requireSince1970(time);
        var method = AgentServiceGrpc.getSetGuestDateTimeMethod();
        var request = SetGuestDateTimeRequest.newBuilder()
                .setSec(time.getEpochSecond())
                .setUsec(time.getNano() / 1000)
                .build();
        var unused = connection.call(method, request, Rpc.of(method, time.toString()), deadline);
    }

    void reseedRandom(Deadline deadline) {
        var method = AgentServiceGrpc.getReseedRandomDevMethod();
        var request = ReseedRandomDevRequest.newBuilder().setData(seed()).build();
        var unused = connection.call(method, request, Rpc.of(method, ""), deadline);
    }

    void onlineCpus(int count, Deadline deadline) {
        if (count < 0) {
            throw new InvalidConfigException("processors", Integer.toString(count), "must be 0 or more");
        }
        online(count, true, count + " processors", deadline);
    }

    void onlineMemory(Deadline deadline) {
        online(0, false, "memory", deadline);
    }

    private void online(int processors, boolean processorsOnly, String what, Deadline deadline) {
        var method = AgentServiceGrpc.getOnlineCPUMemMethod();
        var request = OnlineCPUMemRequest.newBuilder()
                .setWait(true)
                .setNbCpus(processors)
                .setCpuOnly(processorsOnly)
                .build();
        var unused = connection.call(method, request, Rpc.of(method, what), deadline);
    }

    void probeMemory(List<Long> addresses, Deadline deadline) {
        var method = AgentServiceGrpc.getMemHotplugByProbeMethod();
        var request = MemHotplugByProbeRequest.newBuilder()
                .addAllMemHotplugProbeAddr(addresses)
                .build();
        var unused = connection.call(method, request, Rpc.of(method, addresses.size() + " addresses"), deadline);
    }

    void trace(boolean on, Deadline deadline) {
        if (on) {
            var method = AgentServiceGrpc.getStartTracingMethod();
            var unused =
                    connection.call(method, StartTracingRequest.getDefaultInstance(), Rpc.of(method, ""), deadline);
        } else {
            var method = AgentServiceGrpc.getStopTracingMethod();
            var unused = connection.call(method, StopTracingRequest.getDefaultInstance(), Rpc.of(method, ""), deadline);
        }
    }
}
