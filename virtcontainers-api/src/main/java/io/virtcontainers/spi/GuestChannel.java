// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import java.nio.file.Path;

/** A way to the agent in the guest: a stream of bytes, on which the agent speaks gRPC. */
public sealed interface GuestChannel {
    /** Where agents of Kata Containers listen on vsock. */
    int AGENT_PORT = 1024;

    /** Whether it carries one connection at a time; else it is shared by any number of them, also of several processes. */
    boolean exclusive();

    /**
     * A virtio-serial port that the hypervisor shows as a listening unix socket. What is written before the guest has
     * opened its port waits there, and what an earlier connection has left there comes first.
     *
     * @param socket the socket on the host
     * @param yamux whether the agent speaks gRPC inside a yamux session, of which it is the server
     */
    record VirtioSerial(Path socket, boolean yamux) implements GuestChannel {
        @Override
        public boolean exclusive() {
            return true;
        }
    }

    /**
     * An AF_VSOCK address.
     *
     * @param cid the guest's, 3 to 2^32-2, unsigned
     * @param port where the agent listens, unsigned
     */
    record Vsock(int cid, int port) implements GuestChannel {
        @Override
        public boolean exclusive() {
            return false;
        }

        @Override
        public String toString() {
            return "vsock " + Integer.toUnsignedString(cid) + ":" + Integer.toUnsignedString(port);
        }
    }

    /**
     * A unix socket of the hypervisor behind which is the guest's vsock: a connection begins with {@code CONNECT <port>}
     * and the answer {@code OK <number>}, each one line.
     *
     * @param socket the socket on the host
     * @param port where the agent listens in the guest, unsigned
     */
    record HybridVsock(Path socket, int port) implements GuestChannel {
        @Override
        public boolean exclusive() {
            return false;
        }
    }
}
