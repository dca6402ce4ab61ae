// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Empty;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.Interfaces;
import io.virtcontainers.agent.kata.protocol.Routes;
import io.virtcontainers.agent.kata.protocol.types.ARPNeighbor;
import io.virtcontainers.agent.kata.protocol.types.IPAddress;
import io.virtcontainers.agent.kata.protocol.types.IPFamily;
import io.virtcontainers.agent.kata.protocol.types.Interface;
import io.virtcontainers.agent.kata.protocol.types.Route;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NetworkCallsTest {
    private static final GuestInterface ETH0 =
            new GuestInterface("eth0", "eth0", List.of("10.0.0.2/24", "fd00::2/64"), 1450, "02:00:ca:fe:00:01", true);
    private static final Interface ETH0_MESSAGE = Interface.newBuilder()
            .setDevice("eth0")
            .setName("eth0")
            .addIPAddresses(IPAddress.newBuilder().setAddress("10.0.0.2").setMask("24"))
            .addIPAddresses(IPAddress.newBuilder()
                    .setFamily(IPFamily.v6)
                    .setAddress("fd00::2")
                    .setMask("64"))
            .setMtu(1450)
            .setHwAddr("02:00:ca:fe:00:01")
            .setRawFlags(0x80)
            .build();
    private static final GuestRoute DEFAULT = new GuestRoute("", "10.0.0.1", "eth0", "", 0);
    private static final GuestRoute LINK = new GuestRoute("10.0.0.0/24", "", "eth0", "10.0.0.2", 253);
    private static final Routes ROUTES = Routes.newBuilder()
            .addRoutes(Route.newBuilder().setGateway("10.0.0.1").setDevice("eth0"))
            .addRoutes(Route.newBuilder()
                    .setDest("10.0.0.0/24")
                    .setDevice("eth0")
                    .setSource("10.0.0.2")
                    .setScope(253))
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

    @Test
    void listsInterfaces() {
        f.server.answer(
                AgentServiceGrpc.getListInterfacesMethod(),
                Interfaces.newBuilder()
                        .addInterfaces(ETH0_MESSAGE)
                        .addInterfaces(Interface.newBuilder().setDevice("lo").setMtu(65536))
                        .build());
        assertThat(f.agent.interfaces(Fixture.soon()))
                .containsExactly(ETH0, new GuestInterface("lo", "", List.of(), 65536, "", false));
    }

    @Test
    void updatesAnInterface() {
        var update = f.server.record(
                AgentServiceGrpc.getUpdateInterfaceMethod(),
                ETH0_MESSAGE.toBuilder().setMtu(1400).build());
        assertThat(f.agent.updateInterface(ETH0, Fixture.soon()).mtu()).isEqualTo(1400);
        assertThat(update.get().getInterface()).isEqualTo(ETH0_MESSAGE);
    }

    @Test
    void listsRoutes() {
        f.server.answer(AgentServiceGrpc.getListRoutesMethod(), ROUTES);
        assertThat(f.agent.routes(Fixture.soon())).containsExactly(DEFAULT, LINK);
    }

    @Test
    void updatesRoutes() {
        var update = f.server.record(
                AgentServiceGrpc.getUpdateRoutesMethod(),
                Routes.newBuilder().addRoutes(ROUTES.getRoutes(0)).build());
        assertThat(f.agent.updateRoutes(List.of(DEFAULT, LINK), Fixture.soon())).containsExactly(DEFAULT);
        assertThat(update.get().getRoutes()).isEqualTo(ROUTES);
    }

    @Test
    void addsNeighbours() {
        var add = f.server.record(AgentServiceGrpc.getAddARPNeighborsMethod(), Empty.getDefaultInstance());
        f.agent.addNeighbors(
                List.of(new GuestNeighbor("fd00::1", "eth0", "02:00:ca:fe:00:02", 0x80, 1)), Fixture.soon());
        assertThat(add.get().getNeighbors().getARPNeighborsList())
                .containsExactly(ARPNeighbor.newBuilder()
                        .setToIPAddress(
                                IPAddress.newBuilder().setFamily(IPFamily.v6).setAddress("fd00::1"))
                        .setDevice("eth0")
                        .setLladdr("02:00:ca:fe:00:02")
                        .setState(0x80)
                        .setFlags(1)
                        .build());
    }

    @Test
    void anOldAgentThatKnowsNoNeighboursIsNamed() {
        assertThatThrownBy(() -> f.agent.addNeighbors(List.of(), Fixture.soon()))
                .isInstanceOf(UnsupportedException.class)
                .hasMessage("agent 1.13.0-fake does not support AddARPNeighbors: unknown method");
    }
}
