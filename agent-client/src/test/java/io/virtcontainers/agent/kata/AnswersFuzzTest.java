// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.grpc.Metadata;
import io.grpc.Status;
import io.virtcontainers.AgentException;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.VirtException;
import io.virtcontainers.agent.kata.protocol.GuestDetailsResponse;
import io.virtcontainers.agent.kata.protocol.Interfaces;
import io.virtcontainers.agent.kata.protocol.ListProcessesResponse;
import io.virtcontainers.agent.kata.protocol.Routes;
import io.virtcontainers.agent.kata.protocol.StatsContainerResponse;
import io.virtcontainers.agent.kata.protocol.WaitProcessResponse;
import io.virtcontainers.agent.kata.protocol.types.Interface;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What a guest may put into the answers to calls: it is refused with an {@link AgentException}, or becomes values that the
 * types of this library allow. Runs over the committed inputs; fuzzes if JAZZER_FUZZ=1 is in the environment.
 */
class AnswersFuzzTest {
    private static final Pattern UNPRINTABLE = Pattern.compile("[\\p{Cc}\\p{Cf}]");

    /** The first byte chooses the message. */
    @FuzzTest(maxDuration = "10m")
    void anAnswerIsReadOrRefused(byte[] input) {
        if (input.length == 0) {
            return;
        }
        byte[] message = Arrays.copyOfRange(input, 1, input.length);
        try {
            read(input[0], message);
        } catch (InvalidProtocolBufferException e) {
            // gRPC reports it before we see it.
        } catch (AgentException e) {
            assertShowable(e);
        }
    }

    private static void read(int choice, byte[] message) throws InvalidProtocolBufferException {
        switch (Math.floorMod(choice, 8)) {
            case 0 -> assertPlausible(StatsMessages.read(StatsContainerResponse.parseFrom(message)));
            case 1 ->
                NetworkMessages.readInterfaces(Interfaces.parseFrom(message).getInterfacesList())
                        .forEach(AnswersFuzzTest::assertPlausible);
            case 2 ->
                NetworkMessages.readRoutes(Routes.parseFrom(message).getRoutesList())
                        .forEach(AnswersFuzzTest::assertPlausible);
            case 3 -> assertPlausible(NetworkMessages.read(Interface.parseFrom(message)));
            case 4 ->
                assertThat(ProcessLists.pids(
                                ListProcessesResponse.parseFrom(message).getProcessList()))
                        .allSatisfy(pid -> assertThat(pid).isBetween(1L, 1L << 22));
            case 5 -> {
                ByteString table = ListProcessesResponse.parseFrom(message).getProcessList();
                assertThat(ProcessLists.table(table).replaceAll("[\n\t]", "")).doesNotContainPattern(UNPRINTABLE);
            }
            case 6 ->
                assertThat(SandboxMessages.read(GuestDetailsResponse.parseFrom(message))
                                .agentVersion())
                        .hasSizeLessThan(256)
                        .doesNotContainPattern(UNPRINTABLE);
            default -> {
                ProcessCalls calls = new ProcessCalls(null, "web", "shell");
                WaitProcessResponse answer = WaitProcessResponse.parseFrom(message);
                assertThat(calls.exitStatus(answer).code()).isBetween(0, 255);
            }
        }
    }

    /** The first byte chooses the code of the status, the second one whether our agent's trailer is there. */
    @FuzzTest(maxDuration = "10m")
    void aRefusalBecomesAnErrorThatCanBeShown(byte[] input) {
        if (input.length < 2) {
            return;
        }
        Metadata trailers = new Metadata();
        String text = new String(input, 2, input.length - 2, StandardCharsets.UTF_8);
        switch (Math.floorMod(input[1], 4)) {
            case 0 -> trailers.put(AgentErrors.REASON, AgentErrors.EXECUTABLE_NOT_FOUND);
            case 1 -> trailers.put(AgentErrors.REASON, AgentErrors.EXECUTABLE_NOT_PERMITTED);
            case 2 -> trailers.put(AgentErrors.REASON, text);
            default -> {}
        }
        Status status = Status.fromCodeValue(1 + Math.floorMod(input[0], 17)).withDescription(text);
        Rpc rpc = new Rpc("ExecProcess", "container web", Optional.of(ProcessConfig.of("sh")));
        assertShowable(new AgentErrors(Optional::empty).map(status.asRuntimeException(trailers), rpc));
    }

    private static void assertShowable(VirtException error) {
        assertThat(error.getMessage()).hasSizeLessThan(3000).doesNotContainPattern(UNPRINTABLE);
    }

    private static void assertPlausible(ContainerStats stats) {
        assertThat(stats.memory().usage()).isNotNegative();
        assertThat(stats.memory().swap()).isNotNegative();
        assertThat(stats.memory().details().keySet())
                .allSatisfy(name -> assertThat(name).hasSizeLessThan(256).doesNotContainPattern(UNPRINTABLE));
        assertThat(stats.cpu().usage().isNegative()).isFalse();
        assertThat(stats.pids().limit()).isGreaterThanOrEqualTo(-1);
        assertThat(stats.blkio())
                .allSatisfy(device -> assertThat(device.operation()).isIn("Read", "Write"));
        assertThatCode(stats::hashCode).doesNotThrowAnyException();
    }

    private static void assertPlausible(GuestInterface found) {
        assertThat(found.name()).hasSizeLessThan(128).doesNotContainPattern(UNPRINTABLE);
        assertThat(found.mtu()).isBetween(0L, 65_536L);
        assertThat(found.hardwareAddress()).matches("|([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}");
        found.addresses().forEach(address -> assertThat(address).matches("[0-9a-fA-F:.]+/[0-9]{1,3}"));
        // What a guest tells may be told to it.
        assertThat(NetworkMessages.write(found).getMtu()).isEqualTo(found.mtu());
    }

    private static void assertPlausible(GuestRoute route) {
        assertThat(route.device()).hasSizeLessThan(128).doesNotContainPattern(UNPRINTABLE);
        assertThat(route.gateway()).matches("[0-9a-fA-F:.]*");
        assertThat(route.scope()).isBetween(0, 255);
    }
}
