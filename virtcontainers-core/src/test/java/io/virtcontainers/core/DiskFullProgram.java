// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.Container;
import io.virtcontainers.ContainerConfig;
import io.virtcontainers.HostSetupException;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.State;
import io.virtcontainers.testkit.FakeAgents;
import io.virtcontainers.testkit.FakeGuestImages;
import io.virtcontainers.testkit.FakeHypervisor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;

/**
 * A program that uses a sandbox whose state directory is on a small file system of its own, which it fills. Prints a line
 * for each thing that was as it should be. Arguments: the file system's root, a root file system.
 */
final class DiskFullProgram {
    private final Path disk;
    private final RootFs rootfs;

    private DiskFullProgram(Path disk, Path rootfs) {
        this.disk = disk;
        this.rootfs = RootFs.directory(rootfs);
    }

    public static void main(String[] args) throws IOException {
        new DiskFullProgram(Path.of(args[0]), Path.of(args[1])).run();
    }

    private void run() throws IOException {
        FakeHypervisor hypervisor = new FakeHypervisor();
        Engine engine = Engine.open(
                disk.resolve("state"), () -> new Backends(hypervisor, new FakeAgents(), new FakeGuestImages()));
        Sandbox sandbox = engine.run(SandboxConfig.builder("s").detached(true).build());
        Container kept = container(sandbox, "kept");
        kept.start();
        fill();

        refused("annotate", () -> sandbox.annotate(Map.of("k", "v".repeat(10_000))));
        is("annotations unchanged", sandbox.annotations(), Map.of());
        refused("create container", () -> container(sandbox, "more"));
        is("nothing of it in the machine", hypervisor.machines().get(0).disks().size(), 1);
        is("containers unchanged", sandbox.containers().size(), 1);
        refused("create sandbox", () -> engine.create(SandboxConfig.builder("t").build()));
        is("still running", sandbox.state(), State.RUNNING);
        sandbox.stop();
        is("stops all the same", sandbox.state(), State.STOPPED);
        is("the machine is gone", hypervisor.machines().get(0).isAlive(), false);
        refused("start", sandbox::start);
        is("and is still stopped", sandbox.state(), State.STOPPED);

        Files.delete(disk.resolve("filler"));
        sandbox.start();
        is("starts when there is space", sandbox.state(), State.RUNNING);
        is("its container is still known", sandbox.container("kept").state(), State.STOPPED);
        fill();
        sandbox.delete();
        is("deletes on a full disk", Files.exists(disk.resolve("state/sandboxes/s")), false);
        engine.close();
        System.out.println("done");
    }

    private Container container(Sandbox sandbox, String id) {
        return sandbox.createContainer(ContainerConfig.builder(id)
                .rootfs(rootfs)
                .command("sleep", "1000")
                .build());
    }

    private void fill() throws IOException {
        try (FileOutputStream out = new FileOutputStream(disk.resolve("filler").toFile())) {
            while (true) {
                out.write(new byte[512]);
            }
        } catch (IOException full) {
            if (!String.valueOf(full.getMessage()).contains("No space left")) {
                throw full;
            }
        }
    }

    private static void refused(String what, Runnable operation) {
        try {
            operation.run();
            throw new AssertionError(what + " succeeded");
        } catch (HostSetupException e) {
            System.out.println("refused: " + what);
        }
    }

    private static void is(String what, Object actual, Object expected) {
        if (!Objects.equals(actual, expected)) {
            throw new AssertionError(what + ": " + actual + ", expected " + expected);
        }
        System.out.println(what);
    }
}
