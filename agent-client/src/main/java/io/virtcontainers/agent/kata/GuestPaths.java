// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import io.virtcontainers.GuestPath;

/**
 * Where a container's file systems are mounted in the guest.
 *
 * @param root what the container sees as {@code /}; the place that upstream's host and agent agree on
 * @param lower the read-only image below the overlay
 * @param upper what the container wrote, in the guest's memory
 * @param work the overlay's scratch directory, beside {@code upper}
 */
record GuestPaths(GuestPath root, GuestPath lower, GuestPath upper, GuestPath work) {
    private static final GuestPath SHARED = GuestPath.of("/run/kata-containers/shared/containers");
    // Not below /run/kata-containers/<id> or .../containers/<id>: agents keep their bundles there.
    private static final GuestPath LAYERS = GuestPath.of("/run/kata-containers/rootfs");

    static GuestPaths of(String containerId) {
        GuestPath layers = LAYERS.resolve(containerId);
        return new GuestPaths(
                SHARED.resolve(containerId).resolve("rootfs"),
                layers.resolve("lower"),
                layers.resolve("upper"),
                layers.resolve("work"));
    }
}
