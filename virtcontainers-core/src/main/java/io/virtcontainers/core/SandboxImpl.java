// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.Device;
import io.virtcontainers.Diagnostics;
import io.virtcontainers.GuestInterface;
import io.virtcontainers.GuestNeighbor;
import io.virtcontainers.GuestRoute;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Resources;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxEvent;
import io.virtcontainers.SandboxStats;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.Snapshot;
import io.virtcontainers.SnapshotConfig;
import io.virtcontainers.State;
import io.virtcontainers.Timeline;
import io.virtcontainers.core.state.ContainerRecord;
import io.virtcontainers.core.state.SandboxRecord;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/** One sandbox, as this process sees it: what changes something is done by {@link SandboxLife}. */
final class SandboxImpl implements Sandbox {
    private final SandboxLife life;

    SandboxImpl(SandboxLife life) {
        this.life = life;
    }

    SandboxLife life() {
        return life;
    }

    // What it is

    @Override
    public String id() {
        return life.id();
    }

    @Override
    public SandboxConfig config() {
        return life.snapshot().config();
    }

    @Override
    public Map<String, String> annotations() {
        return config().annotations();
    }

    @Override
    public State state() {
        return status().state();
    }

    @Override
    public Timeline timeline() {
        return life.phases().timeline();
    }

    @Override
    public Diagnostics diagnostics() {
        return life.diagnostics();
    }

    @Override
    public Flow.Publisher<SandboxEvent> events() {
        life.connectQuietly();
        return life.publisher().publisher();
    }

    @Override
    public CompletableFuture<String> onExit() {
        return life.onExit();
    }

    // Life

    @Override
    public SandboxStatus status() {
        return life.status();
    }

    @Override
    public void start() {
        life.start();
    }

    @Override
    public void stop() {
        life.stop();
    }

    @Override
    public void pause() {
        life.pause();
    }

    @Override
    public void resume() {
        life.resume();
    }

    @Override
    public void delete() {
        life.delete();
    }

    @Override
    public void close() {
        life.close();
    }

    @Override
    public void annotate(Map<String, String> more) {
        life.annotate(more);
    }

    @Override
    public void limitCgroup(Resources limits) {
        life.cgroup().limit(limits);
    }

    @Override
    public Snapshot snapshot(SnapshotConfig config) {
        return life.snapshot(this, config);
    }

    // Containers and devices

    @Override
    public Container createContainer(ContainerConfig config) {
        return life.containerLife().create(config);
    }

    @Override
    public List<Container> containers() {
        return life.snapshot().containers().stream()
                .map(c -> life.handle(c.id()))
                .map(Container.class::cast)
                .toList();
    }

    @Override
    public Container container(String containerId) {
        SandboxRecord now = life.snapshot();
        if (now.container(containerId).isEmpty()) {
            throw life.noContainer(now, containerId);
        }
        return life.handle(containerId);
    }

    @Override
    public String addDevice(Device device) {
        return life.containerLife().addDevice(device);
    }

    @Override
    public void removeDevice(String deviceId) {
        life.containerLife().removeDevice(deviceId);
    }

    // Questions to the guest

    @Override
    public SandboxStats stats() {
        SandboxRecord now = life.requireUsable("tell its statistics");
        HostUsage host = HostUsage.of(now.vmm().orElseThrow());
        Map<String, ContainerStats> guest = new HashMap<>();
        for (ContainerRecord container : now.containers()) {
            State state = life.containerLife().effectiveState(now, container);
            if (state == State.RUNNING || state == State.PAUSED) {
                guest.put(
                        container.id(),
                        life.ask("container.stats", deadline -> life.agent().stats(container.id(), deadline)));
            }
        }
        return new SandboxStats(host.cpu(), host.pss(), host.rss(), now.config().vcpus(), guest);
    }

    @Override
    public List<GuestInterface> interfaces() {
        life.requireUsable("list its interfaces");
        return life.ask("interfaces.list", deadline -> life.agent().interfaces(deadline));
    }

    @Override
    public GuestInterface updateInterface(GuestInterface wanted) {
        life.requireUsable("update interface " + wanted.hardwareAddress());
        return life.ask("interface.update", deadline -> life.agent().updateInterface(wanted, deadline));
    }

    @Override
    public List<GuestRoute> routes() {
        life.requireUsable("list its routes");
        return life.ask("routes.list", deadline -> life.agent().routes(deadline));
    }

    @Override
    public List<GuestRoute> updateRoutes(List<GuestRoute> routes) {
        life.requireUsable("update its routes");
        return life.ask("routes.update", deadline -> life.agent().updateRoutes(routes, deadline));
    }

    @Override
    public void resize(int vcpus, MemorySize memory) {
        life.resize(vcpus, memory);
    }

    @Override
    public void addNeighbors(List<GuestNeighbor> neighbors) {
        life.requireUsable("add neighbours");
        boolean unused = life.ask("neighbors.add", deadline -> {
            life.agent().addNeighbors(neighbors, deadline);
            return true;
        });
    }
}
