// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.agent.kata.protocol.ARPNeighbors;
import io.virtcontainers.agent.kata.protocol.AddARPNeighborsRequest;
import io.virtcontainers.agent.kata.protocol.AgentServiceGrpc;
import io.virtcontainers.agent.kata.protocol.ListInterfacesRequest;
import io.virtcontainers.agent.kata.protocol.ListRoutesRequest;
import io.virtcontainers.agent.kata.protocol.Routes;
import io.virtcontainers.agent.kata.protocol.UpdateInterfaceRequest;
import io.virtcontainers.agent.kata.protocol.UpdateRoutesRequest;
import io.virtcontainers.spi.Deadline;
import java.util.List;

/** The calls about the guest's network; agents answer them also before CreateSandbox. Thread-safe. */
record NetworkCalls(AgentConnection connection) {

    List<GuestInterface> interfaces(Deadline deadline) {
        var method = AgentServiceGrpc.getListInterfacesMethod();
        var answer = connection.call(method, ListInterfacesRequest.getDefaultInstance(), Rpc.of(method, ""), deadline);
        return NetworkMessages.readInterfaces(answer.getInterfacesList());
    }

    GuestInterface updateInterface(GuestInterface wanted, String pciPath, Deadline deadline) {
        var method = AgentServiceGrpc.getUpdateInterfaceMethod();
        var request = UpdateInterfaceRequest.newBuilder()
                .setInterface(NetworkMessages.write(wanted).toBuilder().setPciPath(pciPath))
                .build();
        Rpc rpc = Rpc.of(method, "interface " + wanted.hardwareAddress());
        return NetworkMessages.read(connection.call(method, request, rpc, deadline));
    }

    List<GuestRoute> routes(Deadline deadline) {
        var method = AgentServiceGrpc.getListRoutesMethod();
        var answer = connection.call(method, ListRoutesRequest.getDefaultInstance(), Rpc.of(method, ""), deadline);
        return NetworkMessages.readRoutes(answer.getRoutesList());
    }

    List<GuestRoute> updateRoutes(List<GuestRoute> routes, Deadline deadline) {
        var method = AgentServiceGrpc.getUpdateRoutesMethod();
        Routes.Builder wanted = Routes.newBuilder();
        routes.forEach(route -> wanted.addRoutes(NetworkMessages.write(route)));
        var request = UpdateRoutesRequest.newBuilder().setRoutes(wanted).build();
        var answer = connection.call(method, request, Rpc.of(method, routes.size() + " routes"), deadline);
        return NetworkMessages.readRoutes(answer.getRoutesList());
    }

    void addNeighbors(List<GuestNeighbor> neighbors, Deadline deadline) {
        var method = AgentServiceGrpc.getAddARPNeighborsMethod();
        ARPNeighbors.Builder wanted = ARPNeighbors.newBuilder();
        neighbors.forEach(neighbor -> wanted.addARPNeighbors(NetworkMessages.write(neighbor)));
        var request = AddARPNeighborsRequest.newBuilder().setNeighbors(wanted).build();
        var unused = connection.call(method, request, Rpc.of(method, neighbors.size() + " neighbours"), deadline);
    }
}
