// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.AlreadyExistsException;
import io.virtcontainers.CancelledException;
import io.virtcontainers.CommandResult;
import io.virtcontainers.HostCheck;
import io.virtcontainers.HostProcess;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.RootFs;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxBusyException;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.SandboxPool;
import io.virtcontainers.SandboxStatus;
import io.virtcontainers.Snapshot;
import io.virtcontainers.TemplateFactory;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import io.virtcontainers.core.network.Networks;
import io.virtcontainers.core.state.SandboxLocks;
import io.virtcontainers.core.state.SandboxPlace;
import io.virtcontainers.core.state.SandboxRecord;
import io.virtcontainers.core.state.StateDirectory;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import io.virtcontainers.spi.Phases;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The engine. Owns its scoped sandboxes: closing it, or ending the Java process in an orderly way, deletes them; what a
 * crash leaves, the next {@link #open} on the same state directory removes. Detached sandboxes it lets go of. Thread-safe.
 */
public final class Engine implements VirtContainers {
    private static final Logger log = LoggerFactory.getLogger(Engine.class);

    /** The first build of an initrd may take a while on a slow disk. */
    private static final Duration BUILD = Duration.ofMinutes(5);

    private static final Duration REAP = Duration.ofSeconds(10);
    private static final Duration CHECK = Duration.ofSeconds(60);
    private static final Duration LONGEST_CLOSE = Duration.ofSeconds(60);
    private static final int BACKGROUND_THREADS = 4;

    private final Backends backends;
    private final StateDirectory state;
    private final Map<String, SandboxImpl> sandboxes = new LinkedHashMap<>();
    private final ThreadPoolExecutor background = newBackground();
    private final Thread shutdownHook = new Thread(this::closeAtShutdown, "virtcontainers-shutdown");
    private final CountDownLatch done = new CountDownLatch(1);
    private final Templates templates;
    private final Snapshots snapshots;
    private final List<WarmPool> pools = new CopyOnWriteArrayList<>();
    private boolean closed;

    private Engine(Backends backends, StateDirectory state) {
        this.backends = backends;
        this.state = state;
        this.templates = new Templates(state.templates(), backends);
        this.snapshots = new Snapshots(state, backends);
    }

    Templates templateStore() {
        return templates;
    }

    Snapshots snapshots() {
        return snapshots;
    }

    /** For what follows an event; its threads end when there is nothing to do. */
    private static ThreadPoolExecutor newBackground() {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                BACKGROUND_THREADS, BACKGROUND_THREADS, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                    Thread thread = new Thread(task, "virtcontainers-background");
                    thread.setDaemon(true);
                    return thread;
                });
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    /**
     * Opens an engine on the given backends, which it closes when it is closed, and sweeps the state directory.
     *
     * @throws io.virtcontainers.HostSetupException if the directory cannot be used
     */
    public static Engine open(Path stateDirectory, Supplier<Backends> backends) {
        return open(stateDirectory, backends, /* sweep= */ true);
    }

    /** As {@link #open(Path, Supplier)}, if {@code sweep}; else the state directory is left as it is. */
    static Engine open(Path stateDirectory, Supplier<Backends> backends, boolean sweep) {
        StateDirectory state = StateDirectory.open(stateDirectory);
        try {
            Engine engine = new Engine(backends.get(), state);
            try {
                if (sweep) {
                    engine.sweep();
                }
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

    Executor background() {
        return background;
    }

    // Sweep

    /** Ends and removes what crashed processes left; what cannot be removed is logged and tried again at the next one. */
    private void sweep() {
        templates.sweep();
        snapshots.sweep();
        for (SandboxPlace place : state.places()) {
            try {
                Optional<SandboxLocks.Lock> lock = place.lockNow("sweep");
                if (lock.isPresent()) {
                    try (SandboxLocks.Lock held = lock.get()) {
                        sweep(place);
                    }
                }
            } catch (RuntimeException e) { // one sandbox must not hinder the use of all others
                log.warn("cannot tidy up what a crashed process may have left: sandbox={}", place.id(), e);
            }
        }
    }

    /** Needs the lock. */
    private void sweep(SandboxPlace place) {
        Optional<SandboxRecord> record = place.store().read();
        if (record.isPresent() && record.get().config().detached()) {
            SandboxImpl sandbox = fetched(place, record.get());
            try {
                sandbox.life().locked("sweep", () -> {});
            } finally {
                sandbox.close();
            }
        } else if (removeOrphan(place, record)) {
            log.info("removed what a crashed process left: sandbox={}", place.id());
        }
    }

    /** Removes a scoped or half created sandbox whose owner is dead. Needs the lock. Returns whether it is gone now. */
    private boolean removeOrphan(SandboxPlace place, Optional<SandboxRecord> record) {
        Optional<SandboxLocks.Lock> own = place.tryOwn();
        if (own.isEmpty() || record.map(Engine::hasAliveOwner).orElse(false)) {
            own.ifPresent(SandboxLocks.Lock::close);
            return false;
        }
        try (SandboxLocks.Lock held = own.get()) {
            backends.hypervisor().reap(place.vmDirectory(), Deadline.after(REAP));
            record.ifPresent(known -> HostHoldings.of(known).forEach(HostHoldings::giveBack));
            place.remove();
            return true;
        }
    }

    /** Should the lock file have been removed behind our back. */
    private static boolean hasAliveOwner(SandboxRecord record) {
        return record.owner()
                .filter(owner -> owner.pid() != ProcessHandle.current().pid() && owner.isAlive())
                .isPresent();
    }

    // Create

    @Override
    public Sandbox create(SandboxConfig config) {
        Networks.check(config.network());
        synchronized (sandboxes) {
            requireOpen();
        }
        if (Thread.currentThread().isInterrupted()) {
            throw new CancelledException("interrupted before sandbox " + config.id() + " was created");
        }
        PhaseRecorder phases = new PhaseRecorder(config.id());
        GuestImage image = guestImage(config, phases);
        return claim(config, image, phases);
    }

    GuestImage guestImage(SandboxConfig config, PhaseRecorder phases) {
        try (Phases.Phase phase = phases.begin("guest.image")) {
            HypervisorConfig settings = config.hypervisor();
            Deadline deadline = Deadline.after(BUILD);
            backends.images()
                    .requireSharedFs(
                            settings.kernel(),
                            settings.root(),
                            settings.sharedFs().type(),
                            deadline);
            return backends.images().guestImage(settings.kernel(), settings.root(), phases, deadline);
        }
    }

    /** Takes the id, makes the directory and writes the first record. */
    private SandboxImpl claim(SandboxConfig config, GuestImage image, PhaseRecorder phases) {
        SandboxPlace place = state.place(config.id());
        requireNotTaken(place);
        try (SandboxLocks.Lock lock = place.lock("create", Deadline.after(SandboxLife.PATIENCE))) {
            if (place.exists()) {
                requireNotTaken(place);
                if (!removeOrphan(place, place.store().read())) {
                    throw taken(place);
                }
            }
            SandboxLocks.Lock ownership =
                    config.detached() ? null : place.tryOwn().orElseThrow(() -> taken(place));
            try {
                place.create();
                SandboxRecord first = SandboxRecord.created(
                        config,
                        config.detached() ? Optional.empty() : Optional.of(HostProcess.current()),
                        Instant.now());
                place.store().write(first);
                SandboxImpl sandbox =
                        new SandboxImpl(new SandboxLife(place, this, backends, phases, ownership, image, first));
                synchronized (sandboxes) {
                    requireOpen();
                    sandboxes.put(config.id(), sandbox);
                }
                return sandbox;
            } catch (RuntimeException e) {
                try (ownership) {
                    place.remove();
                } catch (RuntimeException further) {
                    suppress(e, further);
                }
                throw e;
            }
        }
    }

    /** The quick answer, before any wait for a lock that the sandbox's owner may hold for long. */
    private static void requireNotTaken(SandboxPlace place) {
        Optional<SandboxRecord> record = place.store().read();
        if (record.isPresent() && (record.get().config().detached() || isOwned(place))) {
            throw taken(place);
        }
    }

    private static boolean isOwned(SandboxPlace place) {
        Optional<SandboxLocks.Lock> free = place.tryOwn();
        free.ifPresent(SandboxLocks.Lock::close);
        return free.isEmpty();
    }

    private static AlreadyExistsException taken(SandboxPlace place) {
        String owner = place.owner().isPresent()
                ? " (owned by process " + place.owner().getAsLong() + ")"
                : "";
        return new AlreadyExistsException(
                "sandbox " + place.id() + " exists already" + owner + ": delete it, or take another id");
    }

    @Override
    public SandboxPool pool(SandboxConfig config, int ready, int most) {
        return pool(config, ready, most, this::run);
    }

    private SandboxPool pool(SandboxConfig config, int ready, int most, Function<SandboxConfig, Sandbox> run) {
        if (ready < 0 || most < Math.max(1, ready)) {
            throw new InvalidConfigException(
                    "pool", ready + " ready of at most " + most, "must be 0 or more, of at least as many and one");
        }
        if (config.detached()) {
            throw new InvalidConfigException("pool", config.id(), "its sandboxes cannot be detached: they end with it");
        }
        if (config.cgroup().isPresent()) {
            throw new InvalidConfigException(
                    "pool",
                    config.cgroup().get().path(),
                    "is a control group, which each sandbox must have for itself");
        }
        synchronized (sandboxes) {
            requireOpen();
            WarmPool pool = new WarmPool(
                    config,
                    ready,
                    most,
                    run,
                    sandbox -> ((SandboxImpl) sandbox).life().isMachineUp());
            pools.add(pool);
            return pool;
        }
    }

    @Override
    public SandboxPool pool(Snapshot snapshot, String id, int ready, int most) {
        SavedSandbox saved = own(snapshot);
        return pool(saved.configOf(id), ready, most, config -> restore(saved, config.id()));
    }

    @Override
    public TemplateFactory templates() {
        return new Factory(this, backends, templates);
    }

    private SavedSandbox own(Snapshot snapshot) {
        if (snapshot instanceof SavedSandbox saved && snapshots.has(saved)) {
            saved.requireOpen();
            return saved;
        }
        throw new InvalidConfigException(
                "snapshot", snapshot.id(), "is closed, or of another VirtContainers: make one here");
    }

    @Override
    public Sandbox restore(Snapshot snapshot, String id) {
        SavedSandbox saved = own(snapshot);
        SandboxConfig config = saved.configOf(id);
        synchronized (sandboxes) {
            requireOpen();
        }
        SandboxImpl sandbox = claim(config, saved.image(), new PhaseRecorder(id));
        try {
            sandbox.life().restore(saved);
            saved.afterRestore(sandbox);
            return sandbox;
        } catch (RuntimeException e) {
            deleteAfter(e, sandbox);
            throw e;
        }
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
        return rootfs instanceof RootFs.Directory || rootfs instanceof RootFs.Image
                ? RootFs.image(RootFileSystem.image(rootfs, backends.images(), new PhaseRecorder("prepare")))
                : rootfs;
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

    // Find

    @Override
    public List<Sandbox> sandboxes() {
        synchronized (sandboxes) {
            return List.copyOf(sandboxes.values());
        }
    }

    /** The object for this id, unless its sandbox was deleted by another process. */
    private Optional<SandboxImpl> own(String id) {
        Optional<SandboxImpl> known;
        synchronized (sandboxes) {
            requireOpen();
            known = Optional.ofNullable(sandboxes.get(id));
        }
        if (known.isPresent() && known.get().life().isGone()) {
            known.get().life().forget();
            return Optional.empty();
        }
        return known;
    }

    @Override
    public Sandbox sandbox(String id) {
        Optional<SandboxImpl> own = own(id);
        if (own.isPresent()) {
            return own.get();
        }
        SandboxPlace place = state.place(id);
        SandboxRecord record = place.store().read().orElseThrow(() -> unknown(id));
        if (!record.config().detached()) {
            requireOwnerAlive(place);
            throw new SandboxBusyException(
                    "sandbox " + id + " is scoped and belongs to "
                            + record.owner()
                                    .map(owner -> "process " + owner.pid())
                                    .orElse("another process")
                            + ": only that process can use it; create it detached to share it",
                    place.owner());
        }
        synchronized (sandboxes) {
            requireOpen();
            return sandboxes.computeIfAbsent(id, i -> fetched(place, record));
        }
    }

    private SandboxImpl fetched(SandboxPlace place, SandboxRecord record) {
        return new SandboxImpl(
                new SandboxLife(place, this, backends, new PhaseRecorder(place.id()), null, null, record));
    }

    private NotFoundException unknown(String id) {
        return new NotFoundException("there is no sandbox " + id + "; there are: "
                + state.places().stream().map(SandboxPlace::id).toList());
    }

    /** A scoped sandbox does not outlive its owner: if he is dead, it is removed, and was not found. */
    private void requireOwnerAlive(SandboxPlace place) {
        if (isOwned(place)) {
            return;
        }
        try (SandboxLocks.Lock lock = place.lock("remove it", Deadline.after(SandboxLife.STATUS_PATIENCE))) {
            if (removeOrphan(place, place.store().read())) {
                throw unknown(place.id());
            }
        }
    }

    @Override
    public SandboxStatus status(String id) {
        Optional<SandboxImpl> own = own(id);
        return own.isPresent() ? own.get().status() : status(state.place(id));
    }

    @Override
    public SandboxStatus hostStatus(String id) {
        Optional<SandboxImpl> own = own(id);
        return own.isPresent() ? own.get().life().hostStatus() : status(state.place(id), SandboxLife::hostStatus);
    }

    private SandboxStatus status(SandboxPlace place) {
        return status(place, SandboxLife::status);
    }

    private SandboxStatus status(SandboxPlace place, Function<SandboxLife, SandboxStatus> ofDetached) {
        SandboxRecord record = place.store().read().orElseThrow(() -> unknown(place.id()));
        if (record.config().detached()) {
            SandboxImpl passing = fetched(place, record);
            try {
                return ofDetached.apply(passing.life());
            } finally {
                passing.close();
            }
        }
        requireOwnerAlive(place);
        try (SandboxLocks.Lock lock = place.lock("tell its status", Deadline.after(SandboxLife.STATUS_PATIENCE))) {
            return Statuses.ofForeign(place.store().read().orElseThrow(() -> unknown(place.id())));
        }
    }

    @Override
    public List<SandboxStatus> list() {
        List<SandboxStatus> all = new ArrayList<>();
        for (SandboxPlace place : state.places()) {
            try {
                Optional<SandboxImpl> own = own(place.id());
                all.add(own.isPresent() ? own.get().status() : status(place));
            } catch (NotFoundException e) {
                log.debug("gone while listed: sandbox={}", place.id());
            } catch (VirtException e) {
                log.warn("left out of the list: sandbox={} error={}", place.id(), e.getMessage());
            }
        }
        return all;
    }

    @Override
    public void cleanup(String id) {
        SandboxPlace place = state.place(id);
        Optional<SandboxRecord> readable = readable(place);
        if (readable.isPresent()) {
            Optional<SandboxImpl> own = own(id);
            if (own.isPresent()) {
                own.get().delete();
                return;
            }
        }
        if (!place.exists()) {
            return;
        }
        try (SandboxLocks.Lock lock = place.lock("clean up", Deadline.after(SandboxLife.PATIENCE))) {
            readable = readable(place);
            if (readable.isPresent() && readable.get().config().detached()) {
                SandboxImpl passing = fetched(place, readable.get());
                try {
                    passing.delete();
                } finally {
                    passing.close();
                }
            } else if (place.exists()) {
                removeUnreadable(place, readable);
            }
        }
    }

    private void removeUnreadable(SandboxPlace place, Optional<SandboxRecord> readable) {
        if (isOwned(place)) {
            throw new SandboxBusyException(
                    "sandbox " + place.id() + " is scoped and belongs to a live process: it ends with that process",
                    place.owner());
        }
        if (readable.isEmpty() && Files.exists(place.store().file())) {
            log.error("unreadable state is set aside: sandbox={} file={}", place.id(), place.setAside());
        }
        boolean unused = removeOrphan(place, readable);
        synchronized (sandboxes) {
            SandboxImpl stale = sandboxes.get(place.id());
            if (stale != null) {
                stale.life().forget();
            }
        }
    }

    private static Optional<SandboxRecord> readable(SandboxPlace place) {
        try {
            return place.store().read();
        } catch (VirtException e) {
            log.warn("the state of a sandbox cannot be read: sandbox={}", place.id(), e);
            return Optional.empty();
        }
    }

    // Check

    @Override
    public List<HostCheck> check(HypervisorConfig settings) {
        synchronized (sandboxes) {
            requireOpen();
        }
        Deadline deadline = Deadline.after(CHECK);
        List<HostCheck> all = new ArrayList<>(backends.hypervisor().check(settings, deadline));
        all.addAll(backends.images().check(settings.kernel(), settings.root(), deadline));
        all.addAll(Networks.check());
        return List.copyOf(all);
    }

    // Close

    void forget(SandboxLife life) {
        synchronized (sandboxes) {
            sandboxes.computeIfPresent(life.id(), (id, sandbox) -> sandbox.life() == life ? null : sandbox);
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
        List<SandboxImpl> all;
        pools.forEach(WarmPool::close);
        synchronized (sandboxes) {
            if (closed) {
                return;
            }
            closed = true;
            all = List.copyOf(sandboxes.values());
        }
        VirtException failure = new VirtException("not every sandbox could be deleted; the next open() tries again");
        try {
            for (SandboxImpl sandbox : all) {
                try {
                    sandbox.close();
                } catch (RuntimeException e) {
                    suppress(failure, e);
                    sandbox.life().forget(); // its owner is gone: whoever comes next may remove it
                }
            }
            try {
                snapshots.close();
            } catch (VirtException e) {
                suppress(failure, e);
            }
            background.shutdownNow();
            backends.close();
            state.close();
        } finally {
            done.countDown();
            try {
                Runtime.getRuntime().removeShutdownHook(shutdownHook);
            } catch (IllegalStateException shuttingDown) {
                // This is the hook itself, or races with it.
            }
        }
        if (failure.getSuppressed().length > 0) {
            throw failure;
        }
    }

    /** At the end of the process: closes, or waits for another thread that is about to. */
    private void closeAtShutdown() {
        try {
            close();
            if (!done.await(LONGEST_CLOSE.toSeconds(), TimeUnit.SECONDS)) {
                log.warn("the process ends while sandboxes are still being closed");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException e) {
            log.warn("at the end of the process", e);
        }
    }
}
