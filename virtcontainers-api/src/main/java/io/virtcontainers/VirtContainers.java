// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import io.virtcontainers.spi.EngineProvider;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/**
 * The entry to the library: makes sandboxes and owns them. Thread-safe; one per application is enough.
 *
 * <pre>{@code
 * try (VirtContainers vc = VirtContainers.open();
 *         Sandbox sandbox = vc.run(SandboxConfig.builder("demo").build())) {
 *     Container container = sandbox.createContainer(ContainerConfig.builder("hello")
 *             .rootfs(RootFs.directory(Path.of("rootfs")))
 *             .command("uname", "-a")
 *             .build());
 *     container.start();
 *     ExitStatus exit = container.process().waitFor(Duration.ofSeconds(30));
 * }
 * }</pre>
 */
public interface VirtContainers extends AutoCloseable {

    /**
     * Opens the library with the default settings, and removes what a crashed process of the same user left behind.
     * Whether the host has all that a sandbox needs is looked at when the first one is created.
     *
     * @throws HostSetupException if the host lacks a directory that can be written to
     */
    static VirtContainers open() {
        return builder().open();
    }

    static Builder builder() {
        return new Builder();
    }

    /**
     * Runs one command in a virtual machine of its own and gives back what it printed: the whole library in one
     * statement. Everything is gone when it returns.
     *
     * @throws DeadlineExceededException if it takes longer than five minutes
     * @throws VirtException for every other failure of the machinery; a command that fails is a result
     */
    static CommandResult runCommand(RootFs rootfs, String... command) {
        try (VirtContainers vc = open()) {
            return vc.runCommand(rootfs, ProcessConfig.of(command), Duration.ofMinutes(5));
        }
    }

    /**
     * Prepares a sandbox. Nothing runs yet.
     *
     * @throws AlreadyExistsException if the id is taken, by this or by another process of this user
     * @throws HostSetupException if the host lacks something, with what to do about it
     */
    Sandbox create(SandboxConfig config);

    /** {@link #create} and {@link Sandbox#start}; a sandbox that does not start is removed. */
    Sandbox run(SandboxConfig config);

    /**
     * A sandbox that goes on where {@link Sandbox#snapshot} was called, with its containers and their processes as they were:
     * those that ran, run. It has its own randomness, time and host name before they do. Its configuration is that of the
     * snapshot with this id, and a host name made of it; stopped and started again, it boots.
     *
     * @param snapshot of this object
     * @throws AlreadyExistsException if the id is taken
     * @throws InvalidConfigException if the snapshot is closed, or of another {@code VirtContainers}
     * @throws HypervisorException if the snapshot does not fit any more, as the hypervisor, the kernel or a container's image
     *     have changed, or its files are not what was written
     */
    Sandbox restore(Snapshot snapshot, String id);

    /** The templates. */
    TemplateFactory templates();

    /**
     * A pool of sandboxes that are started ahead. Best with {@link SandboxConfig#template}, so that the next one is ready in
     * a tenth of a boot. Closed with this object at the latest.
     *
     * @param config of each; its id is the beginning of theirs; not detached
     * @param ready how many shall be ready, 0 or more
     * @param most how many may be alive at once, leased ones included: the budget of processors and memory, {@code ready} or
     *     more, at least 1
     * @throws InvalidConfigException if a number is out of range, or the sandbox is detached or in a control group
     */
    SandboxPool pool(SandboxConfig config, int ready, int most);

    /**
     * A pool of sandboxes that are restored ahead from a snapshot, which must stay open as long.
     *
     * @param id the beginning of their ids
     * @see #pool(SandboxConfig, int, int)
     */
    SandboxPool pool(Snapshot snapshot, String id, int ready, int most);

    /**
     * Makes a root file system ready, so that a mistake in it shows before anything is booted and its first container need
     * not wait: packs a directory, unless its image is in the cache; looks at an image.
     *
     * @return its image: containers made of it need not look at the directory again, and see it as it is now
     * @throws InvalidConfigException if it is missing, or not wholly readable
     * @throws HostSetupException if the host lacks what packs it
     */
    RootFs prepare(RootFs rootfs);

    /**
     * Runs one command in a new sandbox, with an empty standard input, and removes the sandbox.
     *
     * @param timeout for the command, counted from its start
     * @throws DeadlineExceededException if the command still runs after {@code timeout}
     * @throws VirtException if it prints more than 64 MiB: use a sandbox and its streams then
     */
    CommandResult runCommand(RootFs rootfs, ProcessConfig process, Duration timeout);

    /** The sandboxes that this object created or fetched and that have not been deleted or closed, in that order. */
    List<Sandbox> sandboxes();

    /**
     * The sandbox with this id: one of this object, or a detached one, which is fetched.
     *
     * @throws InvalidConfigException if no sandbox can have such an id
     * @throws NotFoundException if there is none
     * @throws SandboxBusyException if it is a scoped one that belongs to another process
     * @throws DamagedStateException if its state cannot be understood
     */
    Sandbox sandbox(String id);

    /**
     * The status of every sandbox of this user and state directory, also of scoped ones of other processes, as
     * {@link #status} gives it, one after the other. One whose status cannot be told, as it is damaged or busy, is left out, and
     * logged.
     */
    List<SandboxStatus> list();

    /**
     * The truth about a sandbox now, as {@link Sandbox#status} says. For a scoped one of another process: by what the host
     * shows.
     *
     * @throws NotFoundException if there is none
     * @throws SandboxBusyException if an operation of another thread or process holds its lock for more than five seconds
     * @throws DamagedStateException if its state cannot be understood
     */
    SandboxStatus status(String id);

    /**
     * The status as the host's facts tell it: as {@link #status(String)}, but the guest is not asked, so {@link
     * SandboxStatus#guestAnswers} is false, and the end of a process that only the guest knows does not show. That of a
     * container with a shim ({@link Container#shim}) does. For programs that must be quick: no connection is made.
     *
     * @throws NotFoundException if there is none
     * @throws SandboxBusyException if an operation of another thread or process holds its lock for more than five seconds
     * @throws DamagedStateException if its state cannot be understood
     */
    SandboxStatus hostStatus(String id);

    /**
     * Removes whatever is left of a detached sandbox, in whatever state it is: half created, half deleted, its guest hung,
     * its hypervisor dead, its state damaged (the file is then kept in {@code <state directory>/damaged}). Does nothing if
     * there is nothing.
     *
     * @throws SandboxBusyException if it is a scoped one of a live process, or an operation holds its lock for too long
     */
    void cleanup(String id);

    /**
     * Looks at all that a sandbox with such settings needs of this host: the hypervisor's program and its devices, hardware
     * virtualization (by booting a small guest, once for each boot of the host), the guest's kernel and image, helper
     * programs. Starts no sandbox; takes a second or less where all is well. What is looked at by opening or running it, is
     * only as root.
     *
     * @return each thing with what was found and, where it is missing, what to do; a sandbox can run if none is {@link
     *     HostCheck.Outcome#FAILED}
     */
    List<HostCheck> check(HypervisorConfig settings);

    /** {@link #check(HypervisorConfig)} with the default settings. */
    default List<HostCheck> check() {
        return check(HypervisorConfig.defaults());
    }

    /** Deletes every scoped sandbox of this object, and lets go of the detached ones. */
    @Override
    void close();

    /** Collects the settings of a {@link VirtContainers}; not thread-safe. */
    final class Builder {
        private @Nullable Path stateDirectory;
        private @Nullable Path cacheDirectory;
        private boolean sweep = true;

        private Builder() {}

        /**
         * Where running sandboxes keep their sockets and files: at most 64 bytes long, as a socket's path is limited to
         * 107. Default: {@code /run/virtcontainers} for root, else {@code $XDG_RUNTIME_DIR/virtcontainers}, else
         * {@code /tmp/virtcontainers-<uid>}.
         */
        public Builder stateDirectory(Path directory) {
            stateDirectory = directory;
            return this;
        }

        /**
         * Where guest images and packed root file systems are kept between runs. It must not be writable by other users, as
         * the guests' kernels are in it. Default: {@code $VIRTCONTAINERS_CACHE}, else {@code $XDG_CACHE_HOME/virtcontainers},
         * else {@code ~/.cache/virtcontainers}.
         */
        public Builder cacheDirectory(Path directory) {
            cacheDirectory = directory;
            return this;
        }

        /**
         * Whether the opening removes what a crashed process left behind, which looks at every sandbox. A program that runs
         * for one operation on one sandbox leaves it to others: each operation settles its own sandbox. Default: true
         */
        public Builder sweep(boolean all) {
            sweep = all;
            return this;
        }

        /** Opens the library; see {@link VirtContainers#open()}. */
        public VirtContainers open() {
            EngineProvider provider = ServiceLoader.load(EngineProvider.class, VirtContainers.class.getClassLoader())
                    .findFirst()
                    .orElseThrow(() -> new HostSetupException(
                            "no engine on the class path: add the artifact io.virtcontainers:virtcontainers"));
            return provider.open(Optional.ofNullable(stateDirectory), Optional.ofNullable(cacheDirectory), sweep);
        }
    }
}
