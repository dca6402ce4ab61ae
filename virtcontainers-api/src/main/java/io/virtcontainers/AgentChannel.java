// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/** How the host talks to the agent in the guest. */
public enum AgentChannel {
    /** {@link #VSOCK} if this host can and nothing forbids it, otherwise {@link #VIRTIO_SERIAL}; the log says why. */
    AUTO,
    /** Ports of virtio-serial, which work everywhere: one connection each, so a detached sandbox has eight. */
    VIRTIO_SERIAL,
    /** As {@link #VIRTIO_SERIAL}, with yamux in between: what the agents of Kata Containers 1.x speak there. */
    VIRTIO_SERIAL_YAMUX,
    /** Sockets of the host's kernel (AF_VSOCK), for any number of connections; needs {@code /dev/vhost-vsock}. */
    VSOCK,
    /** Vsock in the guest and a unix socket on the host, as Firecracker and Cloud Hypervisor have it; QEMU has not. */
    HYBRID_VSOCK
}
