// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.ContainerConfig;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.ProcessConfig;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtException;

/**
 * An agent, connected or connecting: the operations of {@code grpc.AgentService} of Kata Containers 1.x that the engine uses. Thread-safe.
 * Every method that takes a deadline throws {@link io.virtcontainers.DeadlineExceededException} when it passes,
 * {@link io.virtcontainers.CancelledException} when its thread is interrupted, and
 * {@link io.virtcontainers.AgentException} when the agent refuses.
 */
public interface Agent extends AutoCloseable {
    /**
     * Returns when the agent has answered for the first time. An {@link #abort} from another thread ends the wait at once
     * with its reason, so that nobody waits for the agent of a machine that has died.
     *
     * @throws io.virtcontainers.DeadlineExceededException if it did not answer in time; the message says what was tried
     */
    void awaitReady(Deadline deadline);

    /** The version that the agent reports; after {@link #awaitReady}. */
    String version(Deadline deadline);

    /** Tells the guest that it is this sandbox now (CreateSandbox); before any container. */
    void createSandbox(String sandboxId, String hostname, Deadline deadline);

    /** Ends all containers and flushes the guest's disks (DestroySandbox). */
    void destroySandbox(Deadline deadline);

    /**
     * Creates a container whose root file system is on a disk with EROFS, under an overlay in memory (CreateContainer).
     *
     * @param rootfsDevice what {@link VirtualMachine#addBlockDevice} returned for the disk
     * @throws io.virtcontainers.CommandNotFoundException if its program is not there or may not be executed
     */
    void createContainer(ContainerConfig container, String rootfsDevice, Deadline deadline);

    /** Lets the init process run (StartContainer). */
    void startContainer(String containerId, Deadline deadline);

    /** Ends what lives in the container and removes it (RemoveContainer). Does nothing if it is unknown. */
    void removeContainer(String containerId, Deadline deadline);

    /** Sends a signal to every process of the container (SignalProcess without an exec id). */
    void signalContainer(String containerId, Signal signal, Deadline deadline);

    /**
     * Starts a further process in a container (ExecProcess). After a deadline or an interrupt it is unknown whether it runs.
     *
     * @param execId unique in the container
     */
    GuestProcess exec(String containerId, String execId, ProcessConfig process, Deadline deadline);

    /** The init process of a container that was created; waits for its end from now on. Call it once per container. */
    GuestProcess initProcess(ContainerConfig container);

    /**
     * Fails every call and stream that is under way, and all later ones, with this error, and drops the connection. For
     * an engine that knows that the virtual machine has ended, and why.
     */
    void abort(VirtException reason);

    /** Drops the connection; what is under way fails. */
    @Override
    void close();
}
