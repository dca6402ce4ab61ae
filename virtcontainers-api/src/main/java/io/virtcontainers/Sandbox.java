// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A virtual machine and the containers in it. Thread-safe.
 *
 * <p>A sandbox is <em>scoped</em>: it ends with {@link #close}, with its {@link VirtContainers}, and with the Java
 * process, however that ends ({@code kill -9} included).
 */
public interface Sandbox extends AutoCloseable {
    String id();

    SandboxConfig config();

    /** The state now: a sandbox whose virtual machine died is stopped. Never waits for the guest. */
    State state();

    /**
     * Boots the virtual machine and waits for its agent.
     *
     * @throws IllegalTransitionException unless the sandbox is ready
     * @throws DeadlineExceededException if the agent did not answer within {@link SandboxConfig#bootDeadline}
     * @throws HypervisorException if the virtual machine could not be started or died
     */
    void start();

    /** Stops the containers and the virtual machine. Does nothing if it is stopped already. */
    void stop();

    /** Removes the sandbox with all its files; stops it first. Does nothing if it is removed already. */
    void delete();

    /** The same as {@link #delete}. */
    @Override
    void close();

    /**
     * Creates a container; it does not run yet.
     *
     * @throws IllegalTransitionException unless the sandbox is running
     * @throws AlreadyExistsException if the sandbox has a container of this id
     * @throws CommandNotFoundException if the program is not there or may not be executed
     */
    Container createContainer(ContainerConfig config);

    /** The containers that have not been deleted, in the order of their creation. */
    List<Container> containers();

    /**
     * The container with this id.
     *
     * @throws NotFoundException if there is none
     */
    Container container(String containerId);

    /** Where the time went so far. */
    Timeline timeline();

    /** What is known about the virtual machine now: the end of its console, the hypervisor's errors and events. */
    Diagnostics diagnostics();

    /**
     * Completes with the reason when the virtual machine has ended, whether it was asked to or not. Completes on a thread
     * of the library: use the {@code Async} forms for work that blocks.
     */
    CompletableFuture<String> onExit();
}
