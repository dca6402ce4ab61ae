// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** A container in a sandbox. Thread-safe. */
public interface Container {
    String id();

    ContainerConfig config();

    /** The state now; a container whose sandbox died is stopped. */
    State state();

    /**
     * Starts the init process.
     *
     * @throws IllegalTransitionException unless the container is ready
     */
    void start();

    /** The init process. Its streams can be used before the start. */
    GuestProcess process();

    /**
     * Starts one more process.
     *
     * @throws IllegalTransitionException unless the container is running
     * @throws CommandNotFoundException if the program is not there or may not be executed
     */
    GuestProcess exec(ProcessConfig process);

    /** Sends a signal to every process of the container; does nothing if it is stopped. */
    void kill(Signal signal);

    /**
     * Ends what still runs and removes the container from its sandbox, with all that it wrote. Does nothing if it is
     * removed already.
     */
    void delete();
}
