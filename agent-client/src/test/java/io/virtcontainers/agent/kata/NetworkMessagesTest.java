// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.AgentException;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.agent.kata.protocol.types.IPAddress;
import io.virtcontainers.agent.kata.protocol.types.IPFamily;
import io.virtcontainers.agent.kata.protocol.types.Interface;
import io.virtcontainers.agent.kata.protocol.types.Route;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NetworkMessagesTest {
    private static GuestInterface wanted(String address) {
        return new GuestInterface("eth0", "eth0", List.of(address), 0, "02:00:ca:fe:00:01", false);
    }

    private static Interface told(String address, String mask) {
        return Interface.newBuilder()
                .addIPAddresses(IPAddress.newBuilder().setAddress(address).setMask(mask))
                .build();
    }

    @ParameterizedTest
    @CsvSource({
        "10.0.0.2/24, v4, 10.0.0.2, 24",
        "0.0.0.0/0, v4, 0.0.0.0, 0",
        "fd00::2/128, v6, fd00::2, 128",
        "::ffff:10.0.0.2/64, v6, ::ffff:10.0.0.2, 64"
    })
    void anAddressIsTakenApartAndPutTogetherAgain(String cidr, IPFamily family, String address, String mask) {
        Interface message = NetworkMessages.write(wanted(cidr));
        assertThat(message.getIPAddressesList())
                .containsExactly(IPAddress.newBuilder()
                        .setFamily(family)
                        .setAddress(address)
                        .setMask(mask)
                        .build());
        assertThat(NetworkMessages.read(message).addresses()).containsExactly(cidr);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "10.0.0.2",
                "10.0.0.2/",
                "10.0.0.2/33",
                "10.0.0.2/+1",
                "10.0.0.2/024",
                "10.0.0.2/24/24",
                "10.0.0/24",
                "localhost/24",
                "fd00::2/129",
                "fe80::1%eth0/64",
                "10.0.0.2/9999999999",
                "/24",
                "1.2.3.4\n/24"
            })
    void anAddressThatIsNoneIsRefusedOnBothWays(String cidr) {
        assertThatThrownBy(() -> NetworkMessages.write(wanted(cidr)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("must be like 10.0.0.2/24");
        int slash = Math.max(0, cidr.indexOf('/'));
        String mask = cidr.substring(Math.min(cidr.length(), slash + 1));
        assertThatThrownBy(() -> NetworkMessages.read(told(cidr.substring(0, slash), mask)))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("impossible address");
    }

    @Test
    void aNeighbourHasNoPrefixLength() {
        assertThatThrownBy(() -> NetworkMessages.write(new GuestNeighbor("10.0.0.1/24", "eth0", "", 0x80, 0)))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("\"10.0.0.1/24\"");
    }

    @Test
    void hardwareAddressesOtherThanEthernetAreLeftOut() {
        assertThat(NetworkMessages.read(
                                Interface.newBuilder().setHwAddr("00:00:00:00").build())
                        .hardwareAddress())
                .isEmpty();
        assertThat(NetworkMessages.read(Interface.newBuilder()
                                .setHwAddr("x".repeat(100_000))
                                .build())
                        .hardwareAddress())
                .isEmpty();
    }

    @Test
    void refusesInterfacesThatCannotBe() {
        for (Interface bad : List.of(
                Interface.newBuilder().setMtu(65_537).build(),
                Interface.newBuilder().setMtu(-1).build(),
                Interface.newBuilder().setDevice("e".repeat(128)).build(),
                Interface.newBuilder().setName("eth0\u001b[2J").build(),
                Interface.newBuilder()
                        .addAllIPAddresses(Collections.nCopies(10_001, IPAddress.getDefaultInstance()))
                        .build())) {
            assertThatThrownBy(() -> NetworkMessages.read(bad)).isInstanceOf(AgentException.class);
        }
        assertThatThrownBy(() ->
                        NetworkMessages.readInterfaces(Collections.nCopies(10_001, Interface.getDefaultInstance())))
                .isInstanceOf(AgentException.class);
    }

    @Test
    void refusesRoutesThatCannotBe() {
        for (Route bad : List.of(
                Route.newBuilder().setDest("default").build(),
                Route.newBuilder().setDest("10.0.0.0/33").build(),
                Route.newBuilder().setGateway("10.0.0.1/24").build(),
                Route.newBuilder().setSource("x".repeat(100_000)).build(),
                Route.newBuilder().setScope(256).build(),
                Route.newBuilder().setScope(-1).build(),
                Route.newBuilder().setDevice("\n").build())) {
            assertThatThrownBy(() -> NetworkMessages.readRoutes(List.of(bad)))
                    .isInstanceOf(AgentException.class)
                    .satisfies(error -> assertThat(error.getMessage()).hasSizeLessThan(2200));
        }
        assertThatThrownBy(() -> NetworkMessages.readRoutes(Collections.nCopies(10_001, Route.getDefaultInstance())))
                .isInstanceOf(AgentException.class)
                .hasMessage("the agent sent 10001 routes, more than 10000");
    }
}
