// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.DamagedStateException;
import io.virtcontainers.HostProcess;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.Sandbox;
import io.virtcontainers.VirtException;
import io.virtcontainers.oci.Bundle;
import io.virtcontainers.oci.HookKind;
import io.virtcontainers.oci.HookRunner;
import io.virtcontainers.oci.OciState;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** {@code delete ID...}: removes containers, and with a sandbox's own container its machine. */
final class DeleteCommand {
    private static final Duration SUPERVISOR_END = Duration.ofSeconds(5);

    private DeleteCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("delete", words, List.of(Option.flag("force", "f")));
        arguments.id();
        boolean force = arguments.is("force");
        try (Containers containers = Containers.open(options)) {
            for (String id : arguments.rest()) {
                delete(containers, id, force);
            }
            return 0;
        }
    }

    private static void delete(Containers containers, String id, boolean force) throws IOException {
        Optional<Entry> entry;
        try {
            entry = containers.registry().find(id);
        } catch (DamagedStateException e) {
            if (!force) {
                throw e;
            }
            containers.library().cleanup(id); // if it has a sandbox of its own, that goes by its id
            containers.registry().remove(id);
            return;
        }
        if (entry.isPresent()) {
            delete(containers, entry.get(), force);
        } else if (!force) {
            throw Registry.notFound(id);
        }
    }

    static void delete(Containers containers, Entry entry, boolean force) throws IOException {
        OciState before = containers.state(entry);
        switch (before.status()) {
            case CREATING -> {
                requireForce(entry, force, "is being created");
                end(entry.supervisor(), /* atOnce= */ true); // it undoes what it has begun, as far as it gets
            }
            case RUNNING, PAUSED -> requireForce(entry, force, "still running");
            case CREATED, STOPPED -> {}
        }
        if (entry.isSandbox()) {
            containers.library().cleanup(entry.sandbox());
        } else {
            deleteFromPod(containers, entry);
        }
        end(entry.supervisor(), /* atOnce= */ false);
        runHooks(before);
        containers.forget(entry);
    }

    private static void requireForce(Entry entry, boolean force, String problem) {
        if (!force) {
            throw new VirtException("Container " + problem + ", should be stopped: " + entry.id());
        }
    }

    private static void deleteFromPod(Containers containers, Entry entry) {
        try {
            Sandbox sandbox = containers.library().sandbox(entry.sandbox());
            sandbox.container(entry.id()).delete();
            SandboxCgroup.limit(sandbox);
        } catch (NotFoundException e) {
            return; // with its sandbox, or before
        }
    }

    /** Of a container that is gone, which its supervisor notices by itself, unless something hinders it. */
    private static void end(HostProcess supervisor, boolean atOnce) {
        Optional<ProcessHandle> handle = ProcessHandle.of(supervisor.pid());
        if (handle.isEmpty() || !supervisor.isAlive() || supervisor.equals(HostProcess.current())) {
            return;
        }
        try {
            if (atOnce) {
                handle.get().destroy();
            }
            ProcessHandle unused = handle.get().onExit().get(SUPERVISOR_END.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException | ExecutionException e) {
            if (supervisor.isAlive()) {
                handle.get().destroyForcibly();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void runHooks(OciState before) {
        Bundle bundle;
        try {
            bundle = Bundle.load(Path.of(before.bundle()));
        } catch (VirtException bundleIsGone) {
            return; // as after a crash of the engine: what is left of the container can be removed all the same
        }
        new HookRunner(bundle.spec().hooks())
                .run(
                        HookKind.POSTSTOP,
                        new OciState(
                                before.ociVersion(),
                                before.id(),
                                OciState.Status.STOPPED,
                                OptionalLong.empty(),
                                before.bundle(),
                                before.annotations()));
    }
}
