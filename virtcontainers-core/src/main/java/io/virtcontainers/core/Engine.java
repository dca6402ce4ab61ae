// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.CancelledException;
import io.virtcontainers.CommandResult;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The engine. Owns its sandboxes: closing it, or ending the Java process in an orderly way, deletes them; what a crash
 * leaves, the next {@link #open} on the same state directory removes. Thread-safe.
 */
public final class Engine implements VirtContainers {
    private static final Logger log = LoggerFactory.getLogger(Engine.class);

    private final Backends backends;
    private final StateDirectory state;
    private final Map<String, SandboxImpl> sandboxes = new LinkedHashMap<>();
    private final Thread shutdownHook = new Thread(this::closeQuietly, "virtcontainers-shutdown");
    private boolean closed;

    private Engine(Backends backends, StateDirectory state) {
        this.backends = backends;
        this.state = state;
    }

    /**
     * Opens an engine on the given backends, which it closes when it is closed, and sweeps the state directory.
     *
     * @throws io.virtcontainers.HostSetupException if the directory cannot be used
     */
    public static Engine open(Path stateDirectory, Supplier<Backends> backends) {
        StateDirectory state = StateDirectory.open(stateDirectory);
        try {
            Engine engine = new Engine(backends.get(), state);
            try {
                state.sweep(engine.backends.hypervisor());
                Runtime.getRuntime().addShutdownHook(engine.shutdownHook);
                return engine;
            } catch (RuntimeException e) {
                engine.backends.close();
                throw e;
            }
        } catch (RuntimeException e) {
            state.close();
            throw e;
        }
    }

    @Override
    public Sandbox create(SandboxConfig config) {
        synchronized (sandboxes) {
            requireOpen();
        }
        if (Thread.currentThread().isInterrupted()) {
            throw new CancelledException("interrupted before sandbox " + config.id() + " was created");
        }
        SandboxImpl sandbox = SandboxImpl.create(config, backends, state, this::forget);
        synchronized (sandboxes) {
            if (!closed) {
                sandboxes.put(config.id(), sandbox);
                return sandbox;
            }
        }
        sandbox.delete();
        throw closedError();
    }

    @Override
    public Sandbox run(SandboxConfig config) {
        Sandbox sandbox = create(config);
        try {
            sandbox.start();
            return sandbox;
        } catch (RuntimeException e) {
            deleteAfter(e, sandbox);
            throw e;
        }
    }

    @Override
    public RootFs prepare(RootFs rootfs) {
        return RootFs.image(RootFsImages.of(rootfs, backends.images(), new PhaseRecorder("prepare")));
    }

    @Override
    public CommandResult runCommand(RootFs rootfs, ProcessConfig process, Duration timeout) {
        return CommandRunner.run(this, rootfs, process, timeout);
    }

    static void deleteAfter(RuntimeException failure, Sandbox sandbox) {
        try {
            sandbox.delete();
        } catch (RuntimeException e) {
            suppress(failure, e);
        }
    }

    /** Adds a failure of the clean-up, unless it is the failure itself: an aborted agent throws the same one each time. */
    static void suppress(RuntimeException failure, RuntimeException further) {
        if (further != failure) {
            failure.addSuppressed(further);
        }
    }

    @Override
    public List<Sandbox> sandboxes() {
        synchronized (sandboxes) {
            return List.copyOf(sandboxes.values());
        }
    }

    @Override
    public Sandbox sandbox(String id) {
        synchronized (sandboxes) {
            return Optional.ofNullable(sandboxes.get(id))
                    .orElseThrow(() ->
                            new NotFoundException("there is no sandbox " + id + "; there are: " + sandboxes.keySet()));
        }
    }

    private void forget(SandboxImpl sandbox) {
        synchronized (sandboxes) {
            sandboxes.remove(sandbox.id(), sandbox);
        }
    }

    private void requireOpen() {
        if (closed) {
            throw closedError();
        }
    }

    private static VirtException closedError() {
        return new VirtException("this VirtContainers is closed: open another one");
    }

    @Override
    public void close() {
        List<Sandbox> all;
        synchronized (sandboxes) {
            if (closed) {
                return;
            }
            closed = true;
            all = List.copyOf(sandboxes.values());
        }
        try {
            Runtime.getRuntime().removeShutdownHook(shutdownHook);
        } catch (IllegalStateException shuttingDown) {
            // This is the hook itself, or races with it.
        }
        VirtException failure = new VirtException("not every sandbox could be deleted; the next open() tries again");
        for (Sandbox sandbox : all) {
            deleteAfter(failure, sandbox);
        }
        backends.close();
        state.close();
        if (failure.getSuppressed().length > 0) {
            throw failure;
        }
    }

    private void closeQuietly() {
        try {
            close();
        } catch (RuntimeException e) {
            log.warn("at the end of the process", e);
        }
    }
}
