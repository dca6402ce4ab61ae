// SPDX-License-Identifier: Apache-2.0
/**
 * Runs Linux containers inside lightweight virtual machines, from Java, without a daemon and without root.
 *
 * <p>A <em>sandbox</em> is one virtual machine: the isolation boundary, what Kubernetes calls a pod. A
 * <em>container</em> is an OCI container inside a sandbox. A <em>process</em> is a container's init process or one
 * started in it by <em>exec</em>. Start with {@link io.virtcontainers.VirtContainers}.
 *
 * <p>No method takes or returns null. Every blocking method has a deadline and is cancelled by interrupting its thread
 * (it then throws {@link io.virtcontainers.CancelledException} with the interrupt flag set). Every error is a
 * {@link io.virtcontainers.VirtException}.
 */
@NullMarked
package io.virtcontainers;

import org.jspecify.annotations.NullMarked;
