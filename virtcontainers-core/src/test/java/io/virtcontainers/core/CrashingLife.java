// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.testkit.FakeAgents;
import io.virtcontainers.testkit.FakeGuestImages;
import io.virtcontainers.testkit.FakeHypervisor;
import io.virtcontainers.testkit.Faults;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A program that lives a {@link Life} on fakes and dies in the middle, as by a loss of power. Arguments: state directory,
 * root file system, whether detached, {@code before} or {@code after}, the call, and which of the calls of this name.
 */
final class CrashingLife {
    static final int CRASHED = 99;

    private CrashingLife() {}

    public static void main(String[] args) {
        FakeHypervisor hypervisor = new FakeHypervisor();
        FakeAgents agents = new FakeAgents();
        AtomicInteger left = new AtomicInteger(Integer.parseInt(args[5]));
        Runnable crash = () -> {
            if (left.getAndDecrement() == 0) {
                Runtime.getRuntime().halt(CRASHED);
            }
        };
        for (Faults faults : List.of(hypervisor.faults(), agents.faults())) {
            if (args[3].equals("before")) {
                faults.before(args[4], crash);
            } else {
                faults.after(args[4], crash);
            }
        }
        Engine engine = Engine.open(Path.of(args[0]), () -> new Backends(hypervisor, agents, new FakeGuestImages()));
        Life.live(engine, Path.of(args[1]), Boolean.parseBoolean(args[2]));
        engine.close();
    }
}
